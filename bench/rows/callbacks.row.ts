import type { Bed } from '../bed';
import { expectEqual, type Figure } from '../figure';
import { fill, pastExternalId, pastMessageId, type Past } from '../fill';
import { cpuNote, Rounds } from '../rounds';

/** More than the fastest machine is expected to take; a round that runs out of them ends early. */
const CALLBACKS_PER_SECOND = 10_000;

/** Twilio's signed status callbacks, one for each of many sent messages: proved, stored and applied before they are answered. */
export async function callbacksRow(bed: Bed): Promise<Figure[]> {
  const { effort } = bed.options;
  const service = await bed.service();
  try {
    const tenant = await service.createTenant('Bench');
    const perRound = (effort.seconds + effort.warmupSeconds) * CALLBACKS_PER_SECOND;
    const now = Date.now();
    const count = perRound * effort.rounds;
    const past: Past = { tenant, count, state: 'sent', from: now - 3_600_000, to: now };
    await fill(service.database, past);
    await bed.postgres.checkpoint();
    const rounds = new Rounds();
    let answered = 0;
    for (let round = 0; round < effort.rounds; round++) {
      const messages = Array.from({ length: perRound }, (_, index) => {
        const n = round * perRound + index;
        return [pastExternalId(n), pastMessageId(past, n)] as const;
      });
      const before = bed.cpu(service);
      const empty = await bed.loadEmpty();
      const callbacks = await bed.round(service, 'callbacks', round, () =>
        bed.load({
          port: service.port,
          expect: 200,
          source: {
            kind: 'twilio-status',
            path: `/webhook/twilio/status/${tenant.configId}`,
            publicUrl: service.url,
            authToken: tenant.authToken,
            accountSid: tenant.accountSid,
            messages,
          },
        }),
      );
      rounds.add(callbacks, empty, before, bed.cpu(service));
      answered += callbacks.total;
    }
    const [row] = await service.database.query<{ applied: number; kept: number; told: number }>(
      `SELECT (SELECT count(*)::int FROM messages WHERE status = 'delivered') AS applied,
         (SELECT count(DISTINCT external_id)::int FROM provider_events WHERE state = 'matched') AS kept,
         (SELECT count(DISTINCT message_id)::int FROM events WHERE type = 'message.delivered') AS told`,
    );
    expectEqual('messages delivered', row!.applied, answered);
    expectEqual('callbacks kept', row!.kept, answered);
    expectEqual('events written', row!.told, answered);
    const notes = [cpuNote(rounds, 'callback'), `${answered} answered = stored = applied = announced`];
    const what = 'signed status callback → stored and applied';
    return [rounds.figure('callbacks', what, 'the same stack’s empty endpoint', 0.6, notes)];
  } finally {
    await service.stop();
  }
}
