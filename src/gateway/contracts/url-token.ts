import { equalInConstantTime } from '../../kernel/constant-time';
import type { CallbackRequest, CallbackSecrets } from './callback';
import { InvalidSignature } from './gateway-error';

/** Proves a callback of an account that does not sign: by the secret that UniMsg put into its URL (`?token=`). @throws InvalidSignature */
export function verifyUrlToken(request: CallbackRequest, secrets: CallbackSecrets): void {
  const expected = secrets.urlToken.reveal();
  const given = request.query.getAll('token');
  if (given.length === 0) throw new InvalidSignature('the URL carries no token');
  if (given.length > 1) throw new InvalidSignature('the URL carries more than one token');
  if (expected === '' || !equalInConstantTime(given[0]!, expected)) {
    throw new InvalidSignature('the token in the URL is wrong');
  }
}
