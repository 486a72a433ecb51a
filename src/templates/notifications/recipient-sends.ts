import type { Channel, Priority } from '../../kernel/channel';
import type { FieldError, Problem } from '../../kernel/problem';
import { RenderBudget } from '../liquid/liquid-text';
import { addressed } from '../recipient-address';
import type { CompiledTemplate } from '../template-content';
import { withDefaults } from '../variables';

/** What a notification says of all its messages; stored with it. */
export interface NotificationOptions {
  send_at?: string;
  expires_at?: string;
  priority?: Priority;
  metadata?: Record<string, string>;
  tags?: string[];
  sandbox?: boolean;
  /** It was made with a key whose sends are simulated. */
  sandbox_key?: boolean;
  data?: Record<string, unknown>;
}

/** A recipient of a notification. */
export interface Recipient {
  id: string;
  locale: string | null;
  addresses: Readonly<Partial<Record<Channel, unknown>>>;
  data: Readonly<Record<string, unknown>>;
}

/** The body of one send, or why there is none: errors name fields of the recipient. */
export type RecipientSend =
  { channel: Channel; body: Record<string, unknown>; errors?: undefined } | { channel: Channel; errors: FieldError[] };

/** The sends that a recipient gets, each rendered when it is asked for. The same recipient and template give the same bodies each time, so a repeat is known as one. */
export function* sendsOf(
  template: CompiledTemplate,
  prefix: string,
  options: NotificationOptions,
  recipient: Recipient,
  channels: readonly Channel[],
): Generator<RecipientSend> {
  const { data, errors } = withDefaults(template.content.variables, { ...options.data, ...recipient.data });
  const budget = new RenderBudget();
  for (const channel of channels) {
    const rendered = template.channel(channel, recipient.locale)!.render(data, budget);
    if (rendered.errors !== undefined || errors.length > 0) {
      yield { channel, errors: unique([...errors, ...(rendered.errors ?? [])]) };
      continue;
    }
    const body = {
      ...rendered.fields,
      ...addressed(channel, recipient.addresses[channel]),
      ...pick(options),
      reference: recipient.id,
      idempotency_key: `${prefix}:${recipient.id}:${channel}`,
    };
    yield { channel, body };
  }
}

const SENT_OPTIONS = ['send_at', 'expires_at', 'priority', 'metadata', 'tags', 'sandbox'] as const;
const OPTIONS: ReadonlySet<string> = new Set([...SENT_OPTIONS, 'reference', 'idempotency_key']);

function pick(options: NotificationOptions): Record<string, unknown> {
  return Object.fromEntries(
    SENT_OPTIONS.flatMap((name) => (options[name] === undefined ? [] : [[name, options[name]]])),
  );
}

function unique(errors: readonly FieldError[]): FieldError[] {
  return [...new Map(errors.map((error) => [error.field, error])).values()];
}

/**
 * Why a send was refused, in the words of the notification.
 * @param where the recipient's path, such as `recipients[3]`
 */
export function sendErrors(problem: Problem, channel: Channel, where: string): FieldError[] {
  const errors = problem.options.errors ?? [];
  if (errors.length === 0 || problem.code === 'no_gateway_available')
    return [fieldErrorAt(`${where}.channels.${channel}`, problem.code, problem.detail)];
  return errors.map(({ field, code, message }) => {
    const text = message.startsWith(`${field} `) ? message.slice(field.length + 1) : message;
    const [root = ''] = field.split(/[.[]/);
    if (root === 'to' || root === 'target') {
      const rest = field === 'target.device_token' ? '' : field.slice(root.length);
      return fieldErrorAt(`${where}.channels.${channel}${rest}`, code, text);
    }
    if (OPTIONS.has(root)) return fieldErrorAt(field, code, text);
    // What the template makes of the data.
    return fieldErrorAt(`${where}.data`, code, `gives ${channel}.${field} a value that ${text}`);
  });
}

function fieldErrorAt(field: string, code: string, text: string): FieldError {
  return { field, code, message: `${field} ${text}` };
}
