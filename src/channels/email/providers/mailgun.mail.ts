import type { EmailAddress, GatewayContext, OutboundMessage } from '../../../gateway/contracts/gateway';
import type { MultipartField } from '../../../kernel/multipart';
import { mailVariables } from '../email-events';
import { replyToOf, senderOf, settingOf } from '../email-settings';
import { listUnsubscribeHeaders, wantsListUnsubscribe } from '../list-unsubscribe';

/** The fields of `POST /v3/{domain}/messages`, in the order in which they are sent. */
export function mailgunFields(message: OutboundMessage<'email'>, ctx: GatewayContext): MultipartField[] {
  const { content } = message;
  const { settings } = ctx;
  const fields: MultipartField[] = [];
  const add = (name: string, value: string | undefined): void => {
    if (value !== undefined) fields.push({ name, value });
  };
  add('from', mailbox(senderOf(content, settings)));
  // One field an address: in a list of them a comma within a name would have to be told from one between addresses.
  for (const address of content.to) add('to', mailbox(address));
  for (const address of content.cc ?? []) add('cc', mailbox(address));
  for (const address of content.bcc ?? []) add('bcc', mailbox(address));
  add('subject', content.subject);
  add('text', content.text);
  add('html', content.html);
  add('template', content.template_id);
  if (content.template_id !== undefined && content.template_data)
    add('t:variables', JSON.stringify(content.template_data));
  for (const [name, value] of options(message, ctx)) add(name, value);
  for (const { filename, content_type: contentType, content: base64 } of content.attachments ?? []) {
    fields.push({ name: 'attachment', filename, contentType, bytes: Buffer.from(base64, 'base64') });
  }
  return fields;
}

/** `o:`, `h:` and `v:` fields, whose size Mailgun limits. */
export function options(
  message: OutboundMessage<'email'>,
  ctx: Pick<GatewayContext, 'settings' | 'configId' | 'callbackToken' | 'callbackUrl'>,
): Array<[string, string]> {
  const { content } = message;
  const replyTo = replyToOf(content, ctx.settings);
  const headers = {
    ...(replyTo && { 'Reply-To': mailbox(replyTo) }),
    ...content.headers,
    ...(wantsListUnsubscribe(content) && listUnsubscribeHeaders(message, ctx)),
  };
  const variables = mailVariables(message);
  return [
    ...(settingOf(ctx.settings, 'test_mode') ? [['o:testmode', 'yes'] as [string, string]] : []),
    ...trackingOptions(message, ctx.settings),
    ...Object.entries(headers).map(([name, value]): [string, string] => [`h:${name}`, value]),
    ...Object.entries(variables).map(([name, value]): [string, string] => [`v:${name}`, value]),
  ];
}

/** Only what request or config decide; the rest is as the domain has it. `o:tracking` is the switch over the other two. */
function trackingOptions(
  { content }: OutboundMessage<'email'>,
  settings: GatewayContext['settings'],
): Array<[string, string]> {
  const all = settingOf(settings, 'enable_tracking');
  const opens = content.tracking?.opens ?? all;
  const clicks = content.tracking?.clicks ?? settingOf(settings, 'enable_click_tracking') ?? all;
  const any = opens === true || clicks === true ? true : opens === false && clicks === false ? false : undefined;
  const named = { 'o:tracking': any, 'o:tracking-opens': opens, 'o:tracking-clicks': clicks };
  return Object.entries(named).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, value ? 'yes' : 'no'] as [string, string]],
  );
}

/** An address as in a header, with the name always quoted: Mailgun encodes what is not ASCII. */
function mailbox({ email, name }: EmailAddress): string {
  return name === undefined ? email : `"${name.replaceAll(/["\\]/g, '\\$&')}" <${email}>`;
}
