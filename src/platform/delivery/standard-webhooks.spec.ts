import fc from 'fast-check';
import { Webhook } from 'standardwebhooks';
import { Secret } from '../../kernel/secret';
import { newSigningSecret, signedHeaders, signingKey } from './standard-webhooks';

describe('Standard Webhooks', () => {
  it('makes secrets of 32 bytes, each another', () => {
    const [one, other] = [newSigningSecret().reveal(), newSigningSecret().reveal()];
    expect(one).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
    expect(one).not.toBe(other);
  });

  it('signs the test vector that the reference libraries share', () => {
    // https://github.com/standard-webhooks/standard-webhooks: the vector in the tests of the libraries
    const key = signingKey(new Secret('whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'));
    const headers = signedHeaders('msg_p5jXN8AQM9LWM0D4loKWxJek', 1_614_265_330_999, '{"test": 2432232314}', [key]);
    expect(headers).toEqual({
      'webhook-id': 'msg_p5jXN8AQM9LWM0D4loKWxJek',
      'webhook-timestamp': '1614265330',
      'webhook-signature': 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
    });
  });

  it('verifies with the standardwebhooks package, whatever the body and however many keys', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), fc.uint8Array({ minLength: 24, maxLength: 64 }), (body, bytes) => {
        const secret = `whsec_${Buffer.from(bytes).toString('base64')}`;
        const keys = [newSigningSecret(), new Secret(secret)].map((one) => signingKey(one));
        const headers = signedHeaders('evt_1', Date.now(), body, keys);
        expect(() => new Webhook(secret).verify(body, headers, { jsonParse: false })).not.toThrow();
        expect(() => new Webhook(secret).verify(`${body}.`, headers, { jsonParse: false })).toThrow();
      }),
      { numRuns: 50 },
    );
  });

  it('refuses an empty secret', () => {
    expect(() => signingKey(new Secret('whsec_'))).toThrow('empty');
  });
});
