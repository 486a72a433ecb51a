import type { Bed } from '../bed';
import { expectEqual, type Figure } from '../figure';
import { cpuNote, Rounds } from '../rounds';

/** More than the fastest machine is expected to take; a round that runs out of them ends early. */
const MESSAGES_PER_SECOND = 10_000;
const NUMBERS = 50;

/** Twilio's signed inbound messages to many numbers: proved, stored with their places, events and what is owed to a receiver before they are answered. */
export async function inboundRow(bed: Bed): Promise<Figure[]> {
  const { effort } = bed.options;
  const service = await bed.service();
  try {
    const tenant = await service.createTenant('Bench');
    const numbers = Array.from({ length: NUMBERS }, (_, n) => `+3933999${String(n).padStart(5, '0')}`);
    for (const number of numbers) {
      const delivery = [{ type: 'webhook', url: 'http://127.0.0.1:9/', format: 'form' }];
      await service.call('POST', '/v1/numbers', tenant.apiKey, { number, provider: 'twilio', delivery });
    }
    // Somebody else's: delivering is not what is measured here.
    await service.database.query(`UPDATE number_receivers SET lane_owner = 'bench', lane_until = 'infinity'`);
    const rounds = new Rounds();
    const perRound = (effort.seconds + effort.warmupSeconds) * MESSAGES_PER_SECOND;
    let answered = 0;
    for (let round = 0; round < effort.rounds; round++) {
      await bed.postgres.checkpoint();
      const before = bed.cpu(service);
      const empty = await bed.loadEmpty();
      const inbound = await bed.round(service, 'inbound', round, () =>
        bed.load({
          port: service.port,
          expect: 200,
          source: {
            kind: 'twilio-inbound',
            path: `/webhook/twilio/inbound/${tenant.configId}`,
            publicUrl: service.url,
            authToken: tenant.authToken,
            accountSid: tenant.accountSid,
            numbers,
            firstNumber: round * perRound,
            count: perRound,
          },
        }),
      );
      rounds.add(inbound, empty, before, bed.cpu(service));
      answered += inbound.total;
    }
    const [row] = await service.database.query<{ stored: number; owed: number; told: number; last: number }>(
      `SELECT (SELECT count(*)::int FROM inbound_messages WHERE state = 'received') AS stored,
         (SELECT count(*)::int FROM inbound_deliveries) AS owed,
         (SELECT count(*)::int FROM events WHERE type = 'inbound.received') AS told,
         (SELECT sum(sequence)::int FROM numbers) AS last`,
    );
    expectEqual('messages stored', row!.stored, answered);
    expectEqual('deliveries owed', row!.owed, answered);
    expectEqual('events written', row!.told, answered);
    expectEqual('places given out', row!.last, answered);
    const notes = [cpuNote(rounds, 'message'), `${answered} answered = stored = owed = announced, no gap`];
    const what = `signed inbound message to one of ${NUMBERS} numbers → stored`;
    return [rounds.figure('inbound', what, 'the same stack’s empty endpoint', 0.6, notes)];
  } finally {
    await service.stop();
  }
}
