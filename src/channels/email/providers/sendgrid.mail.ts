import { MailService, type MailDataRequired } from '@sendgrid/mail';
import type { EmailAddress, GatewayContext, OutboundMessage } from '../../../gateway/contracts/gateway';
import { textOf } from '../../../gateway/contracts/provider-answer';
import { asciiAddress } from '../../../kernel/email-address';
import { mailVariables } from '../email-events';
import { replyToOf, senderOf, settingOf } from '../email-settings';
import { hasOwnListUnsubscribe } from '../list-unsubscribe';

interface BuiltRequest {
  body: Record<string, unknown>;
}

// The SDK builds and checks the body; its client would call without a time-out and hide whether a failed request was written, so it is replaced
// by one that hands the request back.
const builder = new MailService();
type SdkClient = Parameters<MailService['setClient']>[0];
const handBack = { request: (request: BuiltRequest) => Promise.resolve([request, request.body]) };
builder.setClient(handBack as unknown as SdkClient);

/** Dynamic templates, which take data of any shape; others are of the old kind, which takes texts. */
export function isDynamicTemplate(templateId: string): boolean {
  return templateId.startsWith('d-');
}

/** The JSON body of `POST /v3/mail/send`. One personalization: all recipients get one mail. */
export async function sendgridBody(message: OutboundMessage<'email'>, ctx: GatewayContext): Promise<string> {
  const { content } = message;
  const { settings } = ctx;
  const replyTo = replyToOf(content, settings);
  const ipPool = textOf(settings.ip_pool_name);
  const data = {
    from: addressed(senderOf(content, settings)),
    ...(replyTo && { replyTo: addressed(replyTo) }),
    subject: content.subject,
    personalizations: [
      {
        to: content.to.map(addressed),
        ...(content.cc?.length && { cc: content.cc.map(addressed) }),
        ...(content.bcc?.length && { bcc: content.bcc.map(addressed) }),
        customArgs: mailVariables(message),
        ...templateData(message),
      },
    ],
    ...(content.template_id !== undefined
      ? { templateId: content.template_id }
      : {
          content: [
            ...(content.text !== undefined ? [{ type: 'text/plain', value: content.text }] : []),
            ...(content.html !== undefined ? [{ type: 'text/html', value: content.html }] : []),
          ],
        }),
    ...(content.headers && { headers: content.headers }),
    ...(content.attachments && {
      attachments: content.attachments.map(({ filename, content_type: type, content: base64 }) => ({
        content: base64,
        filename,
        type: bareType(type),
        disposition: 'attachment',
      })),
    }),
    ...trackingSettings(message, settings),
    ...(ipPool !== undefined && { ipPoolName: ipPool }),
    ...(settingOf(settings, 'sandbox_mode') && { mailSettings: { sandboxMode: { enable: true } } }),
  };
  const [request] = await builder.send(data as unknown as MailDataRequired);
  return JSON.stringify((request as unknown as BuiltRequest).body);
}

/** Quirk: addresses are of the format `email`, which has ASCII domains only (twilio/sendgrid-oai, tsg_mail_v3, 2026-01). */
function addressed(address: EmailAddress): EmailAddress {
  return { ...address, email: asciiAddress(address.email) };
}

/** Quirk: a type with parameters (`; charset=utf-8`) refuses the whole mail with 400 (github.com/sendgrid/sendgrid-go/issues/450, 2022-01). */
function bareType(mediaType: string): string {
  return mediaType.split(';', 1)[0]!.trimEnd();
}

function templateData({ content }: OutboundMessage<'email'>): object {
  if (content.template_id === undefined || !content.template_data) return {};
  if (isDynamicTemplate(content.template_id)) return { dynamicTemplateData: content.template_data };
  const texts = Object.entries(content.template_data).map(([name, value]) => [name, String(value)]);
  return { substitutions: Object.fromEntries(texts) as Record<string, string> };
}

/** Only what request or config decide; the rest is as the account has it. */
function trackingSettings({ content }: OutboundMessage<'email'>, settings: GatewayContext['settings']): object {
  const opens = content.tracking?.opens ?? settingOf(settings, 'enable_open_tracking');
  const clicks = content.tracking?.clicks ?? settingOf(settings, 'enable_click_tracking');
  const wanted = content.tracking?.unsubscribe ?? settingOf(settings, 'enable_unsubscribe_tracking');
  // It adds List-Unsubscribe with one click by itself, so not beside the mail's own.
  const unsubscribe = wanted === true && hasOwnListUnsubscribe(content) ? false : wanted;
  const tracking = {
    ...(opens !== undefined && { openTracking: { enable: opens } }),
    ...(clicks !== undefined && { clickTracking: { enable: clicks } }),
    ...(unsubscribe !== undefined && { subscriptionTracking: { enable: unsubscribe } }),
  };
  return Object.keys(tracking).length === 0 ? {} : { trackingSettings: tracking };
}
