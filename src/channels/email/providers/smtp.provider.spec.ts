import { socketProviderContract, type SocketFault } from '../../../../test/contract/socket-provider.contract';
import {
  close,
  garbage,
  hang,
  reset,
  ScriptedSmtp,
  type SmtpAction,
  type SmtpStep,
} from '../../../../test/support/scripted-smtp';
import { smtpAccountA, smtpAccountB, smtpMessage } from '../../../../test/support/smtp-samples';
import { gatewayDeps } from '../../../../test/support/gateway-deps';
import type { EmailContent, OutboundMessage } from '../../../gateway/contracts/gateway';
import type { ErrorClass } from '../../../gateway/contracts/gateway-error';
import { UndiciHttpClient } from '../../../platform/http-client/undici-http-client';
import { smtp } from './smtp.provider';

const ID = smtpMessage.id;
const MESSAGE_ID = `<${ID}@example.com>`;
const DSN = 'NOTIFY=FAILURE,DELAY';
const LOGIN = Buffer.from('\0user-a\0secret-a-7261').toString('base64');

/** Codes by class, after RFC 3463 and its registry, RFC 4954, RFC 5321, RFC 6531, RFC 7372, RFC 7505. */
const CODES: Record<ErrorClass, string[]> = {
  recipient_permanent: [
    ...'5.1.0 5.1.1 5.1.2 5.1.3 5.1.4 5.1.6 5.1.10 5.2.1'.split(' '),
    ...'RCPT 501,RCPT 521,RCPT 550,RCPT 551,RCPT 553,RCPT 556'.split(','),
  ],
  content_permanent: [
    ...'5.6.0 5.6.1 5.6.2 5.6.3 5.6.5 5.6.6 5.2.3 5.3.4'.split(' '),
    ...'DATA 5.7.0,DATA 5.7.1,DATA 550,DATA 552,DATA 553,DATA 554,DATA 5xx,MAIL 552'.split(','),
  ],
  config: [
    ...'5.7.3 5.7.8 5.7.9 5.7.11 5.7.12 5.7.13 5.7.14 5.1.7 5.1.8 5.7.27'.split(' '),
    ...'5.7.2 5.7.20 5.7.21 5.7.22 5.7.23 5.7.24 5.7.25 5.7.26 5.7.30'.split(' '),
    ...'5.5.0 5.5.1 5.5.2 5.5.3 5.5.4 5.5.5 5.5.6 5.6.7 5.6.9 smtputf8'.split(' '),
    ...'AUTH 432,AUTH 530,AUTH 534,AUTH 535,AUTH 538,AUTH 5xx,MAIL 530,MAIL 5.7.0,RCPT 530'.split(','),
    ...'CONNECT 521,CONNECT 554,CONNECT 5xx,STARTTLS 5xx'.split(','),
    ...'MAIL 5.7.1,MAIL 550,MAIL 551,MAIL 553,MAIL 554,MAIL 555,MAIL 5xx'.split(','),
    ...'RCPT 5.7.0,RCPT 5.7.1,RCPT 554,RCPT 555,RCPT 5xx,DATA untrusted'.split(','),
  ],
  throttled: [
    ...'4.5.3 4.7.0 4.7.28 5.7.28'.split(' '),
    ...'CONNECT 421,STARTTLS 421,AUTH 421,MAIL 421,RCPT 421,DATA 421'.split(','),
  ],
  transient: [
    ...'4.2.2 5.2.2 4.3.0 4.3.1 4.3.2 4.3.5 5.3.0 5.3.1 5.3.2 5.3.5 4.4.1 4.4.2'.split(' '),
    ...'5.4.0 5.4.1 5.4.2 5.4.3 5.4.4 5.4.5 5.4.6 5.4.7 4.7.1'.split(' '),
    ...'CONNECT 4xx,STARTTLS 4xx,AUTH 4.7.0,AUTH 454,AUTH 4xx,MAIL 4xx'.split(','),
    ...'RCPT 450,RCPT 451,RCPT 452,RCPT 552,RCPT 4xx,DATA 450,DATA 451,DATA 452,DATA 4xx'.split(','),
  ],
  ambiguous: [],
};

const STEP_OF: Record<string, SmtpStep> = {
  CONNECT: 'GREETING',
  STARTTLS: 'STARTTLS',
  AUTH: 'AUTH',
  MAIL: 'MAIL',
  RCPT: 'RCPT',
  DATA: 'END',
};

/** The reply that says a code of the table, and where. */
function replyFor(key: string): { step: SmtpStep; code: string; text: string } | undefined {
  if (key === 'smtputf8') return undefined;
  if (key === 'DATA untrusted') return { step: 'END', code: '550 5.7.1', text: '550 5.7.1 SPF check failed' };
  const [stage, said] = key.includes(' ') ? (key.split(' ') as [string, string]) : (['RCPT', key] as const);
  const code = said.includes('.') ? `${said[0]}${said[0] === '5' ? '50' : '51'} ${said}` : said.replace('xx', '99');
  return { step: STEP_OF[stage]!, code, text: `${code} The server says no` };
}

const FAULTS: Record<SocketFault, [SmtpStep, SmtpAction]> = {
  reset_before: ['MAIL', reset],
  close_before: ['MAIL', close],
  hang_before: ['MAIL', hang],
  garbage_before: ['MAIL', garbage],
  reset_after: ['END', reset],
  close_after: ['END', close],
  hang_after: ['END', hang],
  garbage_after: ['END', garbage],
};

describe('SMTP', () => {
  socketProviderContract<ScriptedSmtp>({
    definition: smtp,
    accounts: [smtpAccountA, smtpAccountB],
    message: smtpMessage,
    start: () => ScriptedSmtp.start(),
    settingsAt: (account, server) => ({
      ...account.settings,
      host: '127.0.0.1',
      port: server.port,
      ...(server.script.STARTTLS !== undefined && { tls: 'starttls' }),
    }),
    wireOf: (server) =>
      Buffer.from(server.heard, 'latin1')
        .toString('utf8')
        .replaceAll('\r\n', '\n')
        .replace(/^EHLO .*/, 'EHLO me')
        .replaceAll(/--_NmP-[0-9a-f]+-Part_/g, '--boundary-'),
    sends: [
      {
        name: 'a plain text',
        wire: `EHLO me
AUTH PLAIN ${LOGIN}
MAIL FROM:<shop@example.com> SIZE=287 RET=HDRS ENVID=${ID}
RCPT TO:<jane@example.net> ${DSN} ORCPT=rfc822;jane@example.net
DATA
From: Example Shop <shop@example.com>
To: jane@example.net
Subject: Your order
Message-ID: ${MESSAGE_ID}
Date: Sun, 22 Nov 2026 08:00:00 +0000
Content-Transfer-Encoding: 7bit
MIME-Version: 1.0
Content-Type: text/plain; charset=utf-8

Hello Jane.
.
`,
        result: { externalId: MESSAGE_ID },
      },
      {
        name: 'no authentication, everything else',
        account: { credentials: {}, settings: { reply_to_email: 'help@example.com' } },
        message: {
          content: {
            to: [
              { email: 'jane@example.net', name: 'Jane "J" Doe' },
              { email: 'jörg@müller.example', name: 'Jörg' },
            ],
            cc: [{ email: 'team@bücher.example' }],
            bcc: [{ email: 'archive@example.com', name: 'Never shown' }],
            from: { email: 'orders@example.com', name: 'Straße & Co.' },
            subject: 'Grüße 😀',
            text: '.\n..dots\nEnd',
            html: '<p>Grüße</p>',
            headers: { 'X-Entity-Ref-ID': 'order-8121' },
            attachments: [{ filename: 'Rëchnung.txt', content_type: 'text/plain', content: 'aGVsbG8=' }],
            tracking: { unsubscribe: false },
          },
        } as never,
        wire: `EHLO me
MAIL FROM:<orders@example.com> SMTPUTF8 BODY=8BITMIME SIZE=1153 RET=HDRS ENVID=${ID}
RCPT TO:<jane@example.net> ${DSN}
RCPT TO:<jörg@müller.example> ${DSN}
RCPT TO:<team@xn--bcher-kva.example> ${DSN}
RCPT TO:<archive@example.com> ${DSN}
DATA
X-Entity-Ref-ID: order-8121
From: =?UTF-8?Q?Stra=C3=9Fe_=26_Co=2E?= <orders@example.com>
To: "Jane \\"J\\" Doe" <jane@example.net>, =?UTF-8?Q?J=C3=B6rg?=
 <jörg@müller.example>
Cc: team@xn--bcher-kva.example
Reply-To: help@example.com
Subject: =?UTF-8?B?R3LDvMOfZSDwn5iA?=
Message-ID: ${MESSAGE_ID}
Date: Sun, 22 Nov 2026 08:00:00 +0000
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary="--boundary-1"

----boundary-1
Content-Type: multipart/alternative;
 boundary="--boundary-2"

----boundary-2
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: 7bit

..
...dots
End
----boundary-2
Content-Type: text/html; charset=utf-8
Content-Transfer-Encoding: quoted-printable

<p>Gr=C3=BC=C3=9Fe</p>
----boundary-2--

----boundary-1
Content-Type: text/plain; name="=?UTF-8?Q?R=C3=ABchnung=2Etxt?="
Content-Transfer-Encoding: base64
Content-Disposition: attachment; filename*0*=utf-8''R%C3%ABchnung.txt

aGVsbG8=
----boundary-1--
.
`,
        result: { externalId: MESSAGE_ID },
      },
    ],
    arrange: (server, fault) => {
      const [step, action] = FAULTS[fault];
      server.script[step] = action;
    },
    faultMet: async (server) => server.reached(Object.keys(server.script)[0]!),
    refuse: (server, key) => {
      const reply = replyFor(key);
      // No reply: the gateway itself sees that the server does not offer it (below).
      if (reply === undefined) return false;
      server.script[reply.step] = reply.text;
      return true;
    },
    providerCode: (key) => replyFor(key)?.code ?? key,
    takenBy: (server) =>
      server.taken.map(
        ({ credentials, bytes }) => `${credentials} ${/Message-ID: <(.*)@/.exec(bytes.toString('utf8'))![1]}`,
      ),
    shownAs: ({ credentials }) => `${credentials.username}:${credentials.password}`,
    echo: (server, { credentials }) => {
      const coded = Buffer.from(credentials.password!).toString('base64');
      server.script.AUTH = `535 5.7.8 ${credentials.username} ${credentials.password} ${coded} is wrong`;
    },
    resultFor: (id) => ({ externalId: `<${id}@example.com>` }),
    codes: CODES,
    statuses: {},
    // A mail server calls nobody back.
    callbacks: [],
  });

  describe('validate', () => {
    const gateway = smtp.create(gatewayDeps({ http: new UndiciHttpClient(), baseUrl: '' }));
    const issues = (content: Partial<EmailContent>, settings = smtpAccountA.settings): Array<[string, string]> =>
      gateway
        .validate({ ...smtpMessage, content: { ...smtpMessage.content, ...content } } as OutboundMessage, settings)
        .map(({ field, code }) => [field, code]);
    const two = [{ email: 'jane@example.net' }, { email: 'john@example.net' }];

    it.each<[string, Partial<EmailContent>, Array<[string, string]>]>([
      ['an ordinary mail', {}, []],
      ['a template', { text: undefined, template_id: 't-1' }, [['template_id', 'unsupported']]],
      ['no text', { text: undefined }, [['text', 'required']]],
      ['HTML only', { text: undefined, html: '<p>Hello</p>' }, []],
      [
        'opens and clicks',
        { tracking: { opens: true, clicks: true } },
        [
          ['tracking.opens', 'unsupported'],
          ['tracking.clicks', 'unsupported'],
        ],
      ],
      ['no tracking', { tracking: { opens: false, clicks: false } }, []],
      ['unsubscribing', { tracking: { unsubscribe: true } }, []],
      [
        'unsubscribing for two',
        { to: two, tracking: { unsubscribe: true } },
        [['tracking.unsubscribe', 'several_recipients']],
      ],
      ['answers to another script alone', { reply_to: { email: 'jörg@example.com' } }, [['reply_to', 'unsupported']]],
      [
        'answers to another script among others',
        { reply_to: { email: 'jörg@example.com' }, cc: [{ email: 'юля@example.net' }] },
        [],
      ],
      ['answers to a domain in another script', { reply_to: { email: 'help@bücher.example' } }, []],
    ])('%s', (_, content, expected) => expect(issues(content)).toEqual(expected));

    it('looks at the sender and the answers of the config too', () => {
      const replyTo = { ...smtpAccountA.settings, reply_to_email: 'jörg@example.com' };
      expect(issues({}, replyTo)).toEqual([['reply_to', 'unsupported']]);
      expect(issues({}, { ...replyTo, from_email: 'jörg@example.com' })).toEqual([]);
    });
  });

  it.each([
    ['an ordinary account', {}, true],
    ['an IPv6 address', { host: '2001:db8::1' }, true],
    ['a URL', { host: 'smtp://mail.example.com' }, false],
    ['a host with a port', { host: 'mail.example.com:25' }, false],
    ['a line break in the host', { host: 'mail.example.com\r\nx' }, false],
    ['an empty host', { host: '' }, false],
    ['port 0', { port: 0 }, false],
    ['port 65536', { port: 65_536 }, false],
    ['some other TLS', { tls: 'maybe' }, false],
    ['a sender of two lines', { from_name: 'Shop\r\nBcc: evil@example.com' }, false],
    ['no sender address', { from_email: 'shop' }, false],
    ['no connections', { max_connections: 0 }, false],
  ])('takes the settings of %s or not', (_, settings, expected) => {
    expect(smtp.settings.safeParse({ ...smtpAccountA.settings, ...settings }).success).toBe(expected);
  });
});
