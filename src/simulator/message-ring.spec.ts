import { type KeptMessage, MessageRing } from './message-ring';

const message = (externalId: string, provider = 'twilio'): KeptMessage => ({
  provider,
  externalId,
  to: '+15005550000',
  from: null,
  body: '',
  reference: null,
  behaviour: 'delivered',
  accepted: true,
  receivedAt: 0,
  callbacks: [],
});

describe('MessageRing', () => {
  it('keeps the newest messages and forgets the others, ids too', () => {
    const ring = new MessageRing(3);
    for (const id of ['1', '2', '3', '4', '5']) ring.add(message(id));
    const kept = (before?: number) =>
      [...ring.newestFirst(before)].map(([place, { externalId }]) => [place, externalId]);
    expect(kept()).toEqual([
      [4, '5'],
      [3, '4'],
      [2, '3'],
    ]);
    expect([kept(3), kept(2), kept(99)]).toEqual([[[2, '3']], [], kept()]);
    expect([ring.find('twilio', '2'), ring.find('twilio', '3')?.externalId, ring.find('vonage', '3')]).toEqual([
      undefined,
      '3',
      undefined,
    ]);
    expect(ring.total).toBe(5);
  });

  it('is empty at first', () => {
    expect([...new MessageRing(2).newestFirst()]).toEqual([]);
  });
});
