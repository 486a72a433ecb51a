import type { Bed } from '../bed';
import { expectEqual, notRun, type Figure } from '../figure';
import type { Driver } from '../options';
import type { Service } from '../service';
import { cpuNote, Rounds } from '../rounds';
import { drained } from '../waiting';

const REFERENCE = 'the same stack’s empty endpoint';

/**
 * Durable accept of `POST /v1/sms/send`. Without dispatch the tenant's provider account is limited to one call a second, so accepted messages
 * wait; with it they are sent to the simulator at the same time, on the same cores.
 */
export async function acceptRow(bed: Bed): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const driver of bed.options.drivers) {
    for (const dispatch of [false, true]) figures.push(await measure(bed, driver, dispatch));
  }
  return figures;
}

async function measure(bed: Bed, driver: Driver, dispatch: boolean): Promise<Figure> {
  const what = `durable accept, ${driver} queue${dispatch ? ', dispatch running beside it' : ', messages wait'}`;
  const missing = bed.missing(driver);
  if (missing) return notRun('accept', what, missing);
  const service = await bed.service({ driver });
  try {
    const tenant = await service.createTenant('Bench', dispatch ? 100_000 : 1);
    const rounds = new Rounds();
    let accepted = 0;
    for (let round = 0; round < bed.options.effort.rounds; round++) {
      const before = bed.cpu(service);
      const empty = await bed.loadEmpty();
      const sends = await bed.round(service, `accept-${driver}${dispatch ? '-dispatch' : ''}`, round, () =>
        bed.loadSends(service, tenant.apiKey, dispatch ? { body: QUIET_BODY } : {}),
      );
      rounds.add(sends, empty, before, bed.cpu(service));
      accepted += sends.total;
      if (dispatch) await drained(service);
    }
    const notes = [cpuNote(rounds, 'accepted'), await verify(service, accepted, dispatch)];
    return rounds.figure('accept', what, REFERENCE, dispatch ? undefined : 0.8, notes);
  } finally {
    await service.stop();
  }
}

/** The simulator takes it and makes no callbacks, so callbacks are not part of the figure. */
const QUIET_BODY = '{"to":"+15005550013","message":"Your parcel {n} is here.","from":"UniMsg","reference":"order-{n}"}';

/** What was answered 202 is there, once each. */
async function verify(service: Service, accepted: number, dispatch: boolean): Promise<string> {
  const [row] = await service.database.query<{ messages: number; keys: number; distinct: number; sent: number }>(
    `SELECT count(*)::int AS messages, count(DISTINCT reference)::int AS distinct, (SELECT count(*)::int FROM idempotency_keys) AS keys,
       count(*) FILTER (WHERE status = 'sent')::int AS sent FROM messages`,
  );
  expectEqual('messages stored', row!.messages, accepted);
  expectEqual('distinct messages stored', row!.distinct, accepted);
  expectEqual('idempotency keys stored', row!.keys, accepted);
  if (dispatch) expectEqual('messages sent', row!.sent, accepted);
  return `${accepted} accepted = stored${dispatch ? ' = sent' : ''}, none twice`;
}
