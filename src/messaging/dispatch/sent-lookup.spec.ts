import { silentLogger } from '../../kernel/logger';
import type { ConfigDirectory } from '../../gateway/configs/config-directory';
import { GatewayError } from '../../gateway/contracts/gateway-error';
import type { GatewayCalls } from '../../gateway/gateway-calls';
import type { GatewayFactory } from '../../gateway/gateway-factory';
import type { ClaimedMessage } from '../record/message.types';
import type { ClaimStore } from './claim-store';
import { SentLookup } from './sent-lookup';

describe('SentLookup', () => {
  const unknown = { since: 1_000, configId: 'cfg_a', reconcileUntil: 2_000 };
  const message = { id: 'msg_1', clientId: 't', channel: 'sms', priority: 1, attempts: 1 } as ClaimedMessage;
  const away = new GatewayError({ class: 'transient', code: 'not_reached', message: 'away' });
  let findSent: () => Promise<object[]>;
  let takeExternalId: () => Promise<object | undefined>;
  let abort: AbortController;

  const find = () =>
    new SentLookup(
      { config: () => Promise.resolve({ id: 'cfg_a', provider: 'x' }) } as unknown as ConfigDirectory,
      { create: () => ({ findSent: () => findSent() }) } as unknown as GatewayFactory,
      { contextFor: () => Promise.resolve({}) } as unknown as GatewayCalls,
      { takeExternalId: () => takeExternalId() } as unknown as ClaimStore,
      silentLogger,
    ).find(message, unknown, abort.signal);

  beforeEach(() => {
    abort = new AbortController();
    findSent = () => Promise.resolve([{ externalId: 'SM1', status: 'queued' }]);
    takeExternalId = () => Promise.resolve({ externalId: 'SM1', status: 'queued' });
  });

  it('answers what the provider has', async () => {
    expect(await find()).toMatchObject({ type: 'sent', externalId: 'SM1', configId: 'cfg_a', status: 'sent' });
  });

  it('answers nothing when the provider does not have it or does not answer', async () => {
    takeExternalId = () => Promise.resolve(undefined);
    expect(await find()).toBeUndefined();
    findSent = () => Promise.reject(away);
    expect(await find()).toBeUndefined();
  });

  it('takes neither a fault of the database nor its own end for an answer', async () => {
    takeExternalId = () => Promise.reject(new Error('Connection terminated'));
    await expect(find()).rejects.toThrow('Connection terminated');
    abort.abort();
    findSent = () => Promise.reject(away);
    await expect(find()).rejects.toBe(away);
  });
});
