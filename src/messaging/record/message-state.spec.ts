import fc from 'fast-check';
import { MESSAGE_STATUSES, type MessageStatus } from '../../kernel/channel';
import { advances, isFinal, statusOfParts } from './message-state';

const reported = fc.constantFrom<MessageStatus>('queued', 'sent', 'delivered', 'read', 'undelivered', 'failed');

/** What a message becomes when reports come one after the other. */
function after(start: MessageStatus, reports: readonly MessageStatus[]): MessageStatus {
  return reports.reduce((status, report) => (advances(status, report) ? report : status), start);
}

describe('message state', () => {
  it('ends the same whatever the order and however often, when the reports agree on one failure', () => {
    const agreeing = fc.constantFrom<MessageStatus>('queued', 'sent', 'delivered', 'read', 'undelivered');
    fc.assert(
      fc.property(fc.array(agreeing, { minLength: 1, maxLength: 8 }), fc.func(fc.integer()), (reports, key) => {
        const shuffled = [...reports, ...reports].sort((a, b) => key(a) - key(b));
        expect(after('queued', shuffled)).toBe(after('queued', reports));
      }),
    );
  });

  it('never goes backwards', () => {
    fc.assert(
      fc.property(fc.constantFrom(...MESSAGE_STATUSES), fc.array(reported), (start, reports) => {
        let status = start;
        for (const report of reports) {
          const next = after(status, [report]);
          if (next !== status) expect(advances(next, status)).toBe(false);
          status = next;
        }
      }),
    );
  });

  it.each<[MessageStatus, MessageStatus, boolean]>([
    ['queued', 'sent', true],
    ['sent', 'queued', false],
    ['sent', 'delivered', true],
    ['delivered', 'sent', false],
    ['delivered', 'read', true],
    ['delivered', 'undelivered', false],
    ['undelivered', 'delivered', true],
    ['failed', 'delivered', true],
    ['expired', 'delivered', true],
    ['undelivered', 'failed', false],
    ['failed', 'undelivered', false],
    ['failed', 'sent', false],
    ['canceled', 'delivered', false],
    ['simulated', 'read', false],
    ['scheduled', 'sent', true],
  ])('%s, then %s: %s', (current, report, expected) => {
    expect(advances(current, report)).toBe(expected);
  });

  it('knows which statuses are final', () => {
    expect(MESSAGE_STATUSES.filter((status) => !isFinal(status))).toEqual(['scheduled', 'queued', 'sending', 'sent']);
  });

  it.each<[MessageStatus[], MessageStatus]>([
    [['sent', 'sent'], 'sent'],
    [['delivered', 'sent'], 'sent'],
    [['delivered', 'delivered'], 'delivered'],
    [['delivered', 'undelivered'], 'undelivered'],
    [['sent', 'failed'], 'failed'],
    [['read', 'read'], 'read'],
    [['read', 'delivered'], 'delivered'],
  ])('one status out of parts %j: %s', (parts, expected) => {
    expect(statusOfParts(Object.fromEntries(parts.map((status, index) => [`p${index}`, status])))).toBe(expected);
  });
});
