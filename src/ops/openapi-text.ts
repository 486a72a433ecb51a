import { PROBLEM_STATUS, Problem, type ProblemCode } from '../kernel/problem';
import { UNSENT_EVENTS } from './openapi-webhooks';

/** Sections of the document, in the order in which they are shown. Those of the providers' accounts come after `Gateways`. */
export const TAGS: ReadonlyArray<readonly [string, string]> = [
  ['Sending', 'Send a message, one path a channel.'],
  ['Sending by provider', 'Send by a provider of your own choice; list and read what it took.'],
  ['Messages', 'Read, list, cancel and refresh messages; send many at once.'],
  ['Templates', 'Texts with variables, per channel and language, with their versions and a preview.'],
  ['Notifications', 'Send a template to many recipients on many channels, each exactly once.'],
  ['Suppressions', 'Whom nothing more is sent to: who wrote STOP, unsubscribed, complained or cannot be reached.'],
  ['Gateways', 'Which of your provider accounts a message may take, and in which order.'],
  ['Quotas', 'How far the quotas of your tenant and of your accounts are used.'],
  ['Numbers', 'Your own numbers, and who is told of messages to them.'],
  ['Inbound', 'What people wrote to you, and what became of it at each receiver.'],
  ['Webhooks', 'Events posted to your own URL, signed.'],
  ['Events', 'The same events, to pull.'],
  ['Usage reports', 'What you sent, every day, week or month: by mail, as an event and as a file.'],
  ['Provider callbacks', 'Where providers report, and what they reported.'],
  ['Unsubscribing', 'Where the link in a mail leads a recipient who wants no more.'],
  ['API keys', 'Who a key belongs to, and the keys of a tenant.'],
  ['Settings', 'Time zone, quiet hours, retention, alert addresses.'],
  ['Privacy', 'Erase one person’s data, and the receipts of it.'],
  ['Audit', 'Who changed what, who was shown a secret, and when.'],
  ['Tenants (operator)', 'Tenants, for who runs this service. Needs the operator’s key.'],
  ['Simulator', 'What the providers’ stand-ins received. Recipients choose how they behave.'],
  ['Operation', 'Health and metrics.'],
];

/** The first page of the document. */
export function description(): string {
  return `Send SMS, WhatsApp, email, Telegram and push over your own provider accounts, with failover, and get one truth back.

**Try it here**: press *Authorize*, paste an API key (\`um_…\`) as \`api_key\`, open *Sending*, \`POST /v1/sms/send\`, and press *Execute*.

<details><summary><b>Conventions</b>: envelope, names, pages, idempotency</summary>

- Every answer is \`{"success": true, "data": …}\`. Lists add \`"meta": {"next_cursor", "limit"}\`: give \`next_cursor\` back as \`cursor\` for the next page.
- Names are snake_case, times RFC 3339 in UTC, phone numbers E.164. Unknown fields in a body are refused and named.
- Every answer has \`X-Request-Id\`; your own well-formed one is kept.
- A send is idempotent when it carries an \`Idempotency-Key\`: the same key with the same body answers the first answer again (\`Idempotent-Replayed: true\`) and sends nothing.
- Another tenant’s object answers 404.

</details>
<details><summary><b>Errors</b>: every code and what it means</summary>

Every error is RFC 9457, \`application/problem+json\`: \`{"success": false, "type", "title", "status", "detail", "code", "errors", "request_id"}\`. \`code\` never changes its meaning:

${problemTable()}

A 503 has the code \`internal\` and \`Retry-After\`: nothing was changed, the same call may succeed in a moment.

</details>
<details><summary><b>Events</b>: signatures, retries, order</summary>

A delivery to your URL is a signed POST (Standard Webhooks). Any 2xx within 15 seconds is success; else it is tried again after about 5 s, 30 s, 2 min, 10 min, 30 min, 2 h, 6 h, 12 h and 24 h, then kept as a dead letter that can be replayed. At least once: drop repeats by \`id\`. The events of one message arrive in order. Names that can be subscribed to already, although nothing sends them yet: ${UNSENT_EVENTS.map((type) => `\`${type}\``).join(', ')}.

</details>`;
}

function problemTable(): string {
  const rows = (Object.keys(PROBLEM_STATUS) as ProblemCode[]).map(
    (code) => `| \`${code}\` | ${PROBLEM_STATUS[code]} | ${new Problem(code, '').title}. |`,
  );
  return ['| code | status | meaning |', '| --- | --- | --- |', ...rows].join('\n');
}
