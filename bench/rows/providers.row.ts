import type { Gateway, GatewayContext, OutboundMessage } from '../../src/gateway/contracts/gateway';
import type { ProviderDefinition } from '../../src/gateway/contracts/provider-definition';
import { Dialer } from '../../src/platform/http-client/dialer';
import { SsrfGuard } from '../../src/platform/http-client/ssrf-guard';
import { UndiciHttpClient } from '../../src/platform/http-client/undici-http-client';
import { SENDERS } from '../../src/providers';
import type { Bed } from '../bed';
import { expectEqual, type Figure } from '../figure';
import { contextFor, messagesOf } from '../provider-accounts';
import type { StandInAddresses } from '../simulator.main';
import { spread } from '../statistics';

/** What the others are compared with. */
const REFERENCE = 'twilio';
const MOST_RATIO = 2;
const CONCURRENCY = 50;
const WARMUP_SENDS = 300;
/** Sends of a round for each measured second that the options ask for. */
const SENDS_A_SECOND = 500;

const SMPP = 'smpp';
const LEAST_SUBMITS = 2000;

interface Measured {
  /** Milliseconds of this process's CPU for one send. */
  cpuMs: number;
  perSecond: number;
}

/** One provider's gateway, ready to send to its stand-in in another process. */
interface Subject {
  definition: ProviderDefinition;
  gateway: Gateway;
  ctx: GatewayContext;
  next: () => OutboundMessage;
  rounds: Measured[];
}

/** CPU of one send through each provider's gateway, beside Twilio's in the same round, and how fast one SMPP bind takes messages. */
export async function providersRow(bed: Bed): Promise<Figure[]> {
  const { rounds, seconds } = bed.options.effort;
  const http = new UndiciHttpClient();
  const subjects: Subject[] = [];
  try {
    const addresses = await bed.standIns();
    for (const definition of SENDERS) subjects.push(await subjectFor(definition, addresses, http));
    for (const subject of subjects) await sends(subject, WARMUP_SENDS);
    for (let round = 0; round < rounds; round++) {
      for (const subject of subjects) subject.rounds.push(await measure(bed, subject, seconds * SENDS_A_SECOND));
    }
    const reference = subjects.find(({ definition }) => definition.key === REFERENCE)!;
    return [...subjects.map((subject) => cpuFigure(subject, reference)), ...subjects.flatMap(submitFigure)];
  } finally {
    await Promise.all(subjects.map(async ({ gateway, ctx }) => gateway.release?.(ctx.configId)));
    await http.close();
  }
}

async function subjectFor(
  definition: ProviderDefinition,
  { baseUrls, ports }: StandInAddresses,
  http: UndiciHttpClient,
): Promise<Subject> {
  const baseUrl = baseUrls[definition.key]!;
  const gateway = definition.create({
    http,
    baseUrl,
    furtherUrl: (name) => `${baseUrl}/${name}`,
    dialer: new Dialer(new SsrfGuard([]), () => ports[definition.key]),
    reports: { deliver: () => Promise.resolve() },
  });
  const ctx = contextFor(definition);
  await gateway.open?.(ctx);
  return { definition, gateway, ctx, next: messagesOf(definition.channel), rounds: [] };
}

/** Keeps as many calls under way as the provider's limits allow, at most {@link CONCURRENCY}. A failed send ends the row. */
async function sends({ definition, gateway, ctx, next }: Subject, count: number): Promise<void> {
  const { window, windowSetting } = definition.limits;
  let left = count;
  const work = async (): Promise<void> => {
    while (left-- > 0) await gateway.send(next(), ctx);
  };
  const workers = Math.min(CONCURRENCY, windowSetting === undefined ? window : CONCURRENCY);
  await Promise.all(Array.from({ length: workers }, work));
}

async function measure(bed: Bed, subject: Subject, count: number): Promise<Measured> {
  const before = await bed.simulatorStats();
  const cpu = process.cpuUsage();
  const startedAt = performance.now();
  await sends(subject, count);
  const seconds = (performance.now() - startedAt) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  const after = await bed.simulatorStats();
  expectEqual(`messages at ${subject.definition.title}`, after.received - before.received, count);
  return { cpuMs: (user + system) / 1000 / count, perSecond: count / seconds };
}

function cpuFigure({ definition, rounds }: Subject, reference: Subject): Figure {
  const ratio = spread(rounds.map(({ cpuMs }, round) => cpuMs / reference.rounds[round]!.cpuMs));
  const perSecond = spread(rounds.map((one) => one.perSecond)).median;
  const isReference = definition.key === REFERENCE;
  return {
    row: 'providers',
    what: `CPU of a send by ${definition.title} (${definition.channel})`,
    unit: 'ms',
    value: spread(rounds.map(({ cpuMs }) => cpuMs)),
    ...(!isReference && {
      reference: { what: 'Twilio', value: spread(reference.rounds.map(({ cpuMs }) => cpuMs)) },
      ratio,
      target: { text: `≤ ${MOST_RATIO} ×`, met: ratio.median <= MOST_RATIO },
    }),
    notes: [`${Math.round(perSecond)} sends a second, all of them found at the stand-in`],
  };
}

function submitFigure({ definition, rounds }: Subject): Figure[] {
  if (definition.key !== SMPP) return [];
  const perSecond = spread(rounds.map((one) => one.perSecond));
  return [
    {
      row: 'providers',
      what: `submit_sm on one bind, window ${CONCURRENCY}`,
      unit: '/s',
      value: perSecond,
      target: { text: `≥ ${LEAST_SUBMITS}/s`, met: perSecond.median >= LEAST_SUBMITS },
      notes: ['each answered by the SMSC of the simulator, in another process'],
    },
  ];
}
