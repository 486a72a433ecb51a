import { execFile, spawn } from 'node:child_process';
import { chmod, chown, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { freePort } from './child-service';
import { until } from './until';

const run = promisify(execFile);
const SYSTEM_PATH = '/usr/sbin:/usr/bin:/sbin:/bin';

export interface PostfixAccount {
  user: string;
  password: string;
}

export interface PostfixOptions {
  /** PEM files that the server shows. */
  cert: string;
  key: string;
  account: PostfixAccount;
  /** Domains whose mailboxes the server keeps, and who lives there: full addresses. */
  mailboxes: readonly string[];
  /** A domain to which everything bounces after it was taken. */
  bouncing: string;
  /** Largest mail in bytes. */
  sizeLimit: number;
}

/**
 * A Postfix of one spec's own, in a directory of its own, with Cyrus SASL: Debian's packages postfix, sasl2-bin and libsasl2-modules. Needs root,
 * as Postfix does. Port `clear` speaks SMTP with STARTTLS, `secure` begins with TLS; both want authentication, and in clear they offer none.
 */
export class OwnPostfix {
  private constructor(
    private readonly directory: string,
    readonly clear: number,
    readonly secure: number,
    /** Refuses every recipient: the next server on the way to the domain that bounces. */
    private readonly refusing: number,
  ) {}

  static async start(options: PostfixOptions): Promise<OwnPostfix> {
    const directory = await mkdtemp(join(tmpdir(), 'unimsg-postfix-'));
    const own = new OwnPostfix(directory, await freePort(), await freePort(), await freePort());
    try {
      await own.configure(options);
      await own.control('start');
      await until('Postfix greets', async () => (await own.log()).includes('daemon started'), 20_000);
    } catch (error) {
      const log = await own.log().catch(() => '');
      await own.stop();
      throw new Error(`Postfix does not start: ${String(error)}\n${log}`, { cause: error });
    }
    return own;
  }

  /** Mails in a mailbox, in the order in which they came. */
  async mails(address: string): Promise<Buffer[]> {
    const box = join(this.at('mail'), address, 'new');
    const names = await readdir(box).catch(() => []);
    return Promise.all(names.toSorted((a, b) => (a < b ? -1 : 1)).map((name) => readFile(join(box, name))));
  }

  /** Waits until so many mails are in a mailbox. */
  async delivered(address: string, count: number): Promise<Buffer[]> {
    return until(`${count} mails for ${address}`, async () => {
      const mails = await this.mails(address);
      return mails.length >= count ? mails : null;
    });
  }

  /** What Postfix writes about its work. */
  log(): Promise<string> {
    return readFile(this.at('log/postfix.log'), 'utf8');
  }

  async stop(): Promise<void> {
    await this.control('stop').catch(() => undefined);
    await until('Postfix has ended', async () => !(await this.isRunning()), 10_000);
    await rm(this.directory, { recursive: true, force: true });
  }

  private at(path: string): string {
    return join(this.directory, path);
  }

  private async control(command: 'start' | 'stop' | 'status'): Promise<void> {
    await run('/usr/sbin/postfix', ['-c', this.at('etc'), command], { env: { PATH: SYSTEM_PATH } });
  }

  private async isRunning(): Promise<boolean> {
    return this.control('status').then(
      () => true,
      () => false,
    );
  }

  private async configure({ cert, key, account, mailboxes, bouncing, sizeLimit }: PostfixOptions): Promise<void> {
    // Postfix's own processes are other users.
    await chmod(this.directory, 0o755);
    for (const name of ['etc', 'etc/sasl', 'queue', 'data', 'mail', 'log']) await mkdir(this.at(name));
    const { uid, gid } = await userOf('postfix');
    await chown(this.at('data'), uid, gid);
    await chown(this.at('mail'), uid, gid);
    await writeFile(this.at('etc/cert.pem'), cert);
    await writeFile(this.at('etc/key.pem'), key, { mode: 0o600 });
    await this.makeAccount(account, gid);
    const domains = [...new Set(mailboxes.map((address) => address.split('@')[1]!))];
    const boxes = mailboxes.map((address) => `${address} ${address}/`).join('\n');
    await writeFile(this.at('etc/mailboxes'), `${boxes}\n`);
    await writeFile(this.at('etc/transports'), `${bouncing} smtp:[127.0.0.1]:${this.refusing}\n`);
    await writeFile(
      this.at('etc/main.cf'),
      settings({
        compatibility_level: '3.6',
        queue_directory: this.at('queue'),
        data_directory: this.at('data'),
        maillog_file: this.at('log/postfix.log'),
        maillog_file_prefixes: this.directory,
        mail_owner: 'postfix',
        myhostname: 'mx.example.com',
        mydestination: '',
        inet_interfaces: '127.0.0.1',
        inet_protocols: 'ipv4',
        smtputf8_enable: 'yes',
        message_size_limit: String(sizeLimit),
        virtual_mailbox_limit: '0',
        virtual_mailbox_domains: `${domains.join(' ')}`,
        virtual_mailbox_base: this.at('mail'),
        virtual_mailbox_maps: `texthash:${this.at('etc/mailboxes')}`,
        virtual_minimum_uid: '1',
        virtual_uid_maps: `static:${uid}`,
        virtual_gid_maps: `static:${gid}`,
        transport_maps: `texthash:${this.at('etc/transports')}`,
        relay_domains: bouncing,
        smtpd_relay_restrictions: 'permit_sasl_authenticated, reject',
        smtpd_sasl_auth_enable: 'yes',
        smtpd_sasl_type: 'cyrus',
        smtpd_sasl_path: 'smtpd',
        smtpd_sasl_local_domain: 'example.com',
        smtpd_tls_security_level: 'may',
        smtpd_tls_auth_only: 'yes',
        smtpd_tls_cert_file: this.at('etc/cert.pem'),
        smtpd_tls_key_file: this.at('etc/key.pem'),
        smtpd_error_sleep_time: '0',
        smtpd_client_connection_count_limit: '0',
      }),
    );
    await writeFile(this.at('etc/master.cf'), services(this.clear, this.secure, this.refusing));
  }

  private async makeAccount({ user, password }: PostfixAccount, gid: number): Promise<void> {
    const file = this.at('etc/sasl/sasldb2');
    const options = [
      'pwcheck_method: auxprop',
      'auxprop_plugin: sasldb',
      'mech_list: PLAIN LOGIN',
      `sasldb_path: ${file}`,
    ];
    // Debian's Postfix looks here, whatever cyrus_sasl_config_path says.
    await writeFile(this.at('etc/sasl/smtpd.conf'), `${options.join('\n')}\n`);
    const child = spawn('/usr/sbin/saslpasswd2', ['-p', '-c', '-f', file, '-u', 'example.com', user], {
      stdio: 'pipe',
    });
    child.stdin.end(password);
    await new Promise((done, fail) => child.on('error', fail).on('close', done));
    await chown(file, 0, gid);
    await chmod(file, 0o640);
  }
}

async function userOf(name: string): Promise<{ uid: number; gid: number }> {
  const id = async (flag: string): Promise<number> => Number((await run('id', [flag, name])).stdout);
  return { uid: await id('-u'), gid: await id('-g') };
}

function settings(all: Record<string, string>): string {
  return Object.entries(all)
    .map(([name, value]) => `${name} = ${value}\n`)
    .join('');
}

/** Debian's services without chroot, as far as they are needed, and without the local ones. */
function services(clear: number, secure: number, refusing: number): string {
  const lines = [
    `127.0.0.1:${clear} inet n - n - - smtpd`,
    `127.0.0.1:${secure} inet n - n - - smtpd -o smtpd_tls_wrappermode=yes`,
    `127.0.0.1:${refusing} inet n - n - - smtpd -o myhostname=mx.next.example -o smtpd_recipient_restrictions=reject`,
    'pickup unix n - n 60 1 pickup',
    'cleanup unix n - n - 0 cleanup',
    'qmgr unix n - n 300 1 qmgr',
    'tlsmgr unix - - n 1000? 1 tlsmgr',
    'rewrite unix - - n - - trivial-rewrite',
    'bounce unix - - n - 0 bounce',
    'defer unix - - n - 0 bounce',
    'trace unix - - n - 0 bounce',
    'verify unix - - n - 1 verify',
    'flush unix n - n 1000? 0 flush',
    'proxymap unix - - n - - proxymap',
    'smtp unix - - n - - smtp',
    'relay unix - - n - - smtp',
    'showq unix n - n - - showq',
    'error unix - - n - - error',
    'retry unix - - n - - error',
    'discard unix - - n - - discard',
    'virtual unix - n n - - virtual',
    'lmtp unix - - n - - lmtp',
    'anvil unix - - n - 1 anvil',
    'scache unix - - n - 1 scache',
    'postlog unix-dgram n - n - 1 postlogd',
  ];
  return `${lines.join('\n')}\n`;
}
