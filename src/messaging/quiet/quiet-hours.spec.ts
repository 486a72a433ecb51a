import { IANAZone } from 'luxon';
import type { TenantDirectory, TenantSnapshot } from '../../tenancy/tenant-directory';
import { tenantSettings, type StoredTenantSettings } from '../../tenancy/tenant-settings';
import { ManualClock } from '../../kernel/clock';
import { MessageHolds } from '../dispatch/message-holds';
import { PRIORITY_RANK, type ClaimedMessage } from '../record/message.types';
import { QuietHours, type Timed } from './quiet-hours';

const at = (text: string) => Date.parse(`2026-01-15T${text}Z`);
const HOUR = 3_600_000;

describe('QuietHours', () => {
  let loads = 0;
  let known = true;

  function quiet(stored: StoredTenantSettings) {
    const tenant = { status: 'active', settings: tenantSettings({ ...stored }) } as TenantSnapshot;
    loads = 0;
    known = true;
    const tenants = {
      peek: () => (known ? tenant : undefined),
      get: async () => {
        loads += 1;
        return tenant;
      },
    } as unknown as TenantDirectory;
    const hours = new QuietHours(tenants);
    /** Until when, as the dispatcher is told. */
    const holds = (message: Timed, now: number): number | null | Promise<number | null> => {
      const hold = new MessageHolds(tenants, hours, new ManualClock(now)).of(message as ClaimedMessage);
      return hold instanceof Promise ? hold.then((read) => read?.until ?? null) : (hold?.until ?? null);
    };
    return { holds, timing: hours.timing.bind(hours) };
  }
  const night = (more: object = {}): StoredTenantSettings => ({
    quiet_hours: { start: '21:00', end: '08:00', time_zone: 'recipient', channels: ['sms', 'email'], ...more },
    time_zone: 'America/New_York',
  });
  const sms = (recipient: string, more: Partial<Timed> = {}): Timed => ({
    clientId: 't',
    channel: 'sms',
    recipient,
    priority: PRIORITY_RANK.normal,
    ...more,
  });
  const ROMAN = '+393331234567';

  it('leaves people alone by their own clock, on the channels that it holds for', () => {
    const hours = quiet(night());
    expect(hours.holds(sms(ROMAN), at('20:00:00'))).toBe(at('07:00:00') + 24 * HOUR);
    expect(hours.holds(sms('+919812345678'), at('20:00:00'))).toBe(at('02:30:00') + 24 * HOUR);
    expect(hours.holds(sms('+12125550123'), at('20:00:00'))).toBeNull();
    expect(hours.holds(sms(ROMAN, { channel: 'whatsapp' }), at('20:00:00'))).toBeNull();
    expect(hours.holds(sms(ROMAN), at('19:59:59'))).toBeNull();
  });

  it('goes by the tenant’s clock for whoever has no number, and by the named one where one is named', () => {
    const hours = quiet(night());
    const mail = sms('ada@example.com', { channel: 'email' });
    expect(hours.holds(mail, at('20:00:00'))).toBeNull();
    expect(hours.holds(mail, at('05:00:00'))).toBe(at('13:00:00'));
    expect(hours.holds(sms('+870773123456'), at('05:00:00'))).toBe(at('13:00:00'));
    expect(quiet(night({ time_zone: 'UTC' })).holds(sms(ROMAN), at('20:30:00'))).toBeNull();
  });

  it('lets what is urgent pass, and all of a tenant without quiet hours', () => {
    expect(quiet(night()).holds(sms(ROMAN, { priority: PRIORITY_RANK.high }), at('23:00:00'))).toBeNull();
    expect(quiet({}).holds(sms(ROMAN), at('23:00:00'))).toBeNull();
    expect(quiet({}).timing(sms(ROMAN), at('23:00:00'), { lifeMs: HOUR })).toEqual({
      expiresAt: at('23:00:00') + HOUR,
      quietUntil: null,
    });
  });

  it('asks for a tenant that is not in memory, and for no other', async () => {
    const hours = quiet(night());
    known = false;
    expect(await hours.holds(sms(ROMAN), at('20:00:00'))).toBe(at('07:00:00') + 24 * HOUR);
    expect(loads).toBe(1);
    known = true;
    for (let i = 0; i < 1000; i++) expect(hours.holds(sms(ROMAN), at('20:00:00') + i * 20_000)).not.toBeNull();
    expect(loads).toBe(1);
  });

  it('works out a verdict once, for all messages of a place and the hours that they live into', () => {
    const offsets = jest.spyOn(IANAZone.prototype, 'offset');
    try {
      const hours = quiet(night());
      const ask = (i: number) =>
        void hours.timing(sms(`+39333${String(1_000_000 + i)}`), at('20:30:00') + i, { lifeMs: HOUR });
      ask(0);
      const once = offsets.mock.calls.length;
      expect(once).toBeGreaterThan(0);
      for (let i = 1; i < 1000; i++) ask(i);
      expect(offsets.mock.calls.length).toBe(once);
    } finally {
      offsets.mockRestore();
    }
  });

  it.each([
    ['17:00:00', HOUR, '18:00:00', 0],
    // An hour of life: it stands still from 20:00 Z to 07:00 Z.
    ['19:30:00', HOUR, '07:30:00', 1],
    ['20:00:00', HOUR, '08:00:00', 1],
    ['19:00:00', HOUR, '20:00:00', 0],
    ['12:00:00', 24 * HOUR, '10:00:00', 2],
  ])('lets a message of %s that lives %d ms live until %s', (start, lifeMs, time, days) => {
    const timing = quiet(night()).timing(sms(ROMAN), at(start), { lifeMs });
    expect(timing).toMatchObject({ expiresAt: at(time) + days * 24 * HOUR });
  });

  it('does not touch the expiry that a client gave', () => {
    expect(quiet(night()).timing(sms(ROMAN), at('21:00:00'), at('22:00:00'))).toEqual({
      expiresAt: at('22:00:00'),
      quietUntil: at('07:00:00') + 24 * HOUR,
    });
  });
});
