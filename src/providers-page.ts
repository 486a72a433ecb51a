import type { CallbackDefinition } from './gateway/contracts/callback';
import { jsonSchema } from './gateway/configs/json-schema';
import { ERROR_CLASSES, type ErrorRow } from './gateway/contracts/gateway-error';
import { HTTP_STATUS_ROWS } from './gateway/contracts/provider-answer';
import type { ProviderDefinition } from './gateway/contracts/provider-definition';
import { CHANNELS } from './kernel/channel';
import { quirksOf } from './provider-quirks';
import { PROVIDERS } from './providers';

const PREAMBLE = `# Providers

What UniMsg knows of each provider. This page is generated from the definitions in \`src/channels/*/providers\` by
\`npm run docs\`; how to add one is in [CONTRIBUTING.md](../CONTRIBUTING.md).

- **Config**: \`POST /communication/{provider}/configs/\` takes the fields below besides \`display_name\`, \`status\` and
  \`max_per_second\`. A secret credential is given as \`<name>\`, and sealed, or as \`<name>_ref\`.
- **Error classes** decide what follows a failed attempt: \`recipient_permanent\` and \`content_permanent\` end the message,
  \`config\` puts the account into \`error\` (not where the scope is \`sender\` or \`country\`) and goes on to the next gateway,
  \`throttled\` waits, \`transient\` goes on, \`ambiguous\` is looked up first.
- **Status words** that are in no table are kept and counted as unmapped, and change nothing.
`;

/** Text of one table cell: a pipe or a line would end it. */
const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll(/\s+/g, ' ');
const code = (text: string): string => `\`${text}\``;
/** The fragment of a heading. */
const anchor = (heading: string): string =>
  heading
    .toLowerCase()
    .replaceAll(/[^a-z0-9 -]/g, '')
    .replaceAll(' ', '-');
const yesNo = (value: boolean): string => (value ? 'yes' : 'no');

function table(head: readonly string[], rows: ReadonlyArray<readonly string[]>): string {
  const line = (cells: readonly string[]): string => `| ${cells.map(cell).join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

/** `docs/providers.md`: every provider in the order of the channels. @param root of the repository, whose sources hold the quirks */
export function providersPage(root: string): string {
  const parts = [PREAMBLE, overview(), generalRows()];
  for (const channel of CHANNELS) {
    for (const definition of PROVIDERS) if (definition.channel === channel) parts.push(section(definition, root));
  }
  return `${parts.join('\n\n').replaceAll(/\n{3,}/g, '\n\n')}\n`;
}

function overview(): string {
  const rows = PROVIDERS.map(({ channel, title, capabilities, inboundOnly }) => [
    `[${title}](#${anchor(title)})`,
    channel,
    capabilities.status,
    yesNo(capabilities.inbound),
    yesNo(capabilities.media),
    yesNo(capabilities.templates),
    yesNo(capabilities.lookup),
    yesNo(capabilities.idempotency),
    inboundOnly ? 'sends none' : String(capabilities.maxBodyLength),
  ]);
  const head = [
    'provider',
    'channel',
    'statuses by',
    'inbound',
    'media',
    'templates',
    'look-up',
    'drops repeats',
    'longest text',
  ];
  return `## Overview

Statuses come by \`push\` (callbacks, or reports over the connection) or are asked for again and again (\`pull\`; a callback counts where one comes). A provider with a look-up is asked for
a message of unknown fate before another gateway is tried.

${table(head, rows)}`;
}

function generalRows(): string {
  const statuses = Object.entries(HTTP_STATUS_ROWS).map(([status, row]) => [
    status,
    row.class,
    code(row.code),
    row.title,
  ]);
  return `## Answers without a code

What an HTTP status means where a provider's own table says nothing. Everything that is not listed, every other 5xx among it, is
\`ambiguous\`, and so is a request that was written and got no complete answer; a connection that failed before that is \`transient\`.

${table(['HTTP status', 'class', 'reason', 'meaning'], statuses)}`;
}

function section(definition: ProviderDefinition, root: string): string {
  const { key, channel, slug, aliases, title, docsUrl, limits } = definition;
  const urls = [definition.baseUrl, ...Object.values(definition.furtherUrls ?? {})].flatMap((url) =>
    url === null ? [] : [`${url.default} (replaced by ${code(url.env)})`],
  );
  const rate = limits.defaultPerSecond === null ? 'no limit' : `${limits.defaultPerSecond} a second`;
  const window = `${limits.window}${limits.windowSetting ? `, or what ${code(limits.windowSetting)} says` : ''}`;
  const reached = definition.inboundOnly
    ? `- Takes messages in and sends none; documentation: <${docsUrl}>`
    : `- API: ${urls.length > 0 ? urls.join(', ') : 'the host is a setting of each config'}; documentation: <${docsUrl}>`;
  const facts = [
    `- Key ${code(key)}${aliases.length > 0 ? `, also ${aliases.map(code).join(', ')}` : ''}; channel ${code(channel)}; paths ${code(`/communication/${slug}`)} and ${code(`/webhook/${slug}`)}`,
    reached,
    ...(definition.inboundOnly
      ? []
      : [
          `- Limits: ${rate} unless the config says otherwise, ${window} calls under way at once, ${limits.timeoutMs / 1000} s for an answer`,
        ]),
    ...(definition.session
      ? ['- One set of connections a config, however many processes there are; reports come over it']
      : []),
  ];
  const parts = [
    `## ${title}`,
    facts.join('\n'),
    heading('Config fields', fieldsTable(definition)),
    heading('Credentials', credentialsTable(definition)),
    heading('Callbacks', callbacksTable(definition)),
    heading('Status words', statusesTable(definition)),
    heading('Error codes', errorsTable(definition.errors)),
    heading('Quirks', quirkList(definition, root)),
  ];
  return parts.filter((part) => part !== '').join('\n\n');
}

function heading(name: string, text: string): string {
  return text === '' ? '' : `### ${name}\n\n${text}`;
}

interface Field {
  type?: string | string[];
  enum?: unknown[];
  const?: unknown;
  default?: unknown;
  description?: string;
  example?: unknown;
}

function fieldsTable(definition: ProviderDefinition): string {
  const schema = jsonSchema(definition.settings, 'input') as {
    properties?: Record<string, Field>;
    required?: string[];
  };
  const rows = Object.entries(schema.properties ?? {}).map(([name, field]) => [
    code(name),
    schema.required?.includes(name)
      ? 'required'
      : field.default === undefined
        ? ''
        : `default ${code(JSON.stringify(field.default))}`,
    field.enum ? field.enum.map((value) => code(String(value))).join(', ') : [field.type ?? ''].flat().join(', '),
    field.description ?? '',
    code(JSON.stringify(field.example)),
  ]);
  return rows.length === 0 ? '' : table(['field', '', 'type', 'meaning', 'example'], rows);
}

function credentialsTable({ credentials }: ProviderDefinition): string {
  const rows = Object.entries(credentials).map(([name, field]) => [
    field.secret ? `${code(name)} or ${code(`${name}_ref`)}` : code(name),
    field.required ? 'required' : '',
    field.secret ? 'secret' : 'shown',
    `${field.description}${field.identifiesAccount ? ' Tells the account of a callback without config id.' : ''}`,
  ]);
  return rows.length === 0 ? '' : table(['credential', '', '', 'meaning'], rows);
}

const AUTHENTICATION: Readonly<Record<CallbackDefinition['authentication'], string>> = {
  signature: 'signature',
  secret_header: 'secret in a header',
  url_token: 'token in the URL',
};

function callbacksTable({ slug, callbacks, session }: ProviderDefinition): string {
  const rows = Object.entries(callbacks).map(([kind, { authentication, scheme, answer }]) => [
    code(`/webhook/${slug}/${kind}/{config_id}`),
    AUTHENTICATION[authentication],
    scheme,
    `${answer.status}${answer.body ? ` ${code(answer.body)}` : ''}`,
  ]);
  if (rows.length === 0) return session ? '' : 'None.';
  return table(['URL', 'proved by', 'scheme', 'answer'], rows);
}

function statusesTable({ statuses }: ProviderDefinition): string {
  const rows = Object.entries(statuses).map(([word, status]) => [code(word), status ?? 'changes nothing']);
  return rows.length === 0 ? '' : table(['word', 'status'], rows);
}

function errorsTable(errors: Readonly<Record<string, ErrorRow>>): string {
  const rows = ERROR_CLASSES.flatMap((name) =>
    Object.entries(errors)
      .filter(([, row]) => row.class === name)
      .map(([own, row]) => [
        row.class,
        code(row.code),
        code(own),
        row.title,
        [row.scope, row.retryAfterMs === undefined ? undefined : `waits ${row.retryAfterMs / 1000} s`]
          .filter((text) => text !== undefined)
          .join(', '),
      ]),
  );
  return rows.length === 0 ? '' : table(['class', 'reason', 'provider’s code', 'meaning', 'scope'], rows);
}

/** A capital at the beginning, unless it is a name of the API. */
function sentence(text: string): string {
  return /^[a-z]+[ ,]/.test(text) ? `${text[0]!.toUpperCase()}${text.slice(1)}` : text;
}

function quirkList(definition: ProviderDefinition, root: string): string {
  return quirksOf(definition, root)
    .map(({ text, file }) => `- ${sentence(text)} ([${file.split('/').at(-1)}](../${file}))`)
    .join('\n');
}
