import { bullOptions } from './queue.module';

describe('bullOptions', () => {
  it.each([
    ['redis://localhost', { host: 'localhost', port: 6379, db: 0 }],
    [
      'redis://u%40x:p%3A@redis.example:7000/3',
      { host: 'redis.example', port: 7000, db: 3, username: 'u@x', password: 'p:' },
    ],
    ['redis://[::1]:6379', { host: '::1', port: 6379, db: 0 }],
    ['rediss://[2001:db8::1]/1', { host: '2001:db8::1', port: 6379, db: 1, tls: { servername: '2001:db8::1' } }],
  ])('reads %s', (url, expected) => {
    expect(bullOptions(url).redis).toMatchObject(expected);
  });
});
