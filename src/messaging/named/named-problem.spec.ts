import { Problem } from '../../kernel/problem';
import { inWordsOf } from './named-problem';

const kind = {
  fields: { message: 'body_text', template: 'template_name', 'template.parameters': 'template_parameters' },
};
const invalid = (...errors: Array<[string, string]>) =>
  new Problem('invalid_request', 'as the channel says it', {
    errors: errors.map(([field, message]) => ({ field, code: 'invalid_value', message })),
  });

describe('inWordsOf', () => {
  it('renames the field, and the field at the start of its message', () => {
    const problem = inWordsOf(kind, invalid(['message', 'message must not be blank']));
    expect(problem.options.errors).toEqual([
      { field: 'body_text', code: 'invalid_value', message: 'body_text must not be blank' },
    ]);
    expect(problem.detail).toBe('body_text must not be blank.');
  });

  it('takes the longest name, and keeps what follows it', () => {
    const problem = inWordsOf(
      kind,
      invalid(['template.parameters[2]', 'must be a string'], ['template', 'is required'], ['templates', 'is unknown']),
    );
    expect(problem.options.errors!.map(({ field }) => field)).toEqual([
      'template_parameters[2]',
      'template_name',
      'templates',
    ]);
    expect(problem.detail).toBe('3 fields are not valid: template_parameters[2], template_name, templates.');
  });

  it('says in a sentence what a message without its field says', () => {
    expect(inWordsOf(kind, invalid(['message', 'must be short'])).detail).toBe('body_text must be short.');
  });

  it('calls the forced gateway by the field that forces it, and keeps status, code and headers', () => {
    const before = new Problem('no_gateway_available', 'No gateway can take this message.', {
      status: 422,
      headers: { 'Retry-After': '1' },
      errors: [{ field: 'provider', code: 'no_gateway_available', message: 'names no gateway' }],
    });
    const problem = inWordsOf(kind, before);
    expect(problem).toMatchObject({ code: 'no_gateway_available', status: 422, detail: before.detail });
    expect(problem.options).toMatchObject({ headers: { 'Retry-After': '1' }, errors: [{ field: 'config_id' }] });
  });

  it('leaves alone what it has no other word for', () => {
    for (const problem of [invalid(['to', 'must be a number']), Problem.notFound('message')])
      expect(inWordsOf(kind, problem)).toBe(problem);
  });
});
