import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { chromium, type Browser, type Locator, type Page } from 'playwright-core';
import { magicRecipientsTable } from '../../src/simulator/magic-recipients';
import { startProcess, type RunningProcess } from '../../src/process';
import { createTestDatabase, type TestDatabase } from '../support/test-database';

const CHROMIUM = '/usr/bin/chromium';
const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];
/** Rows of the simulator's table, below its head. */
const MAGIC_ROWS =
  magicRecipientsTable()
    .split('\n')
    .filter((line) => line.startsWith('|')).length - 2;

const ADMIN_KEY = 'admin-of-the-browser-spec-only';

/** Screenshots are for people; a run without this leaves none. */
const SCREENSHOTS = process.env.UNIMSG_SCREENSHOTS;

/** An answer of the API, as far as it is looked into here. */
interface Document {
  tags: Array<{ name: string; description: string }>;
  paths: Record<string, Record<string, { operationId: string; tags: [string] }>>;
}

interface Answer {
  data: { api_key: string; message_id: string } & unknown[];
}

describe('Swagger UI', () => {
  let database: TestDatabase;
  let service: RunningProcess;
  let browser: Browser;
  let page: Page;
  let apiKey: string;
  let document: Document;
  const requested: string[] = [];
  const complaints: string[] = [];

  const admin = (method: string, path: string, body: object, key = ADMIN_KEY): Promise<Answer> =>
    fetch(service.url + path, {
      method,
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    }).then((response) => response.json() as Promise<Answer>);

  const picture = async (name: string): Promise<void> => {
    if (SCREENSHOTS) await page.screenshot({ path: join(SCREENSHOTS, `${name}.png`) });
  };

  /** Opens an operation and sends it; answers what the page shows. */
  const execute = async (operation: Locator): Promise<{ status: string; body: Answer }> => {
    await operation.getByRole('button', { name: 'Execute' }).click();
    const answer = operation.locator('.live-responses-table tbody tr').first();
    await answer.waitFor();
    const status = await answer.locator('.response-col_status').innerText();
    const body = await answer.locator('.highlight-code code').first().innerText();
    return { status: status.trim().slice(0, 3), body: JSON.parse(body) as Answer };
  };

  /** Opens the operation's section, then the operation. */
  const open = async (operationId: string): Promise<Locator> => {
    const operations = Object.values(document.paths).flatMap((path) => Object.values(path));
    const [tag] = operations.find((one) => one.operationId === operationId)!.tags;
    const section = page.locator(`.opblock-tag[data-tag="${tag}"]`);
    if ((await section.getAttribute('data-is-open')) !== 'true') await section.click();
    const operation = page.locator(`[id$="-${operationId}"]`);
    await operation.locator('.opblock-summary-control').click();
    await operation.locator('.execute-wrapper').waitFor();
    return operation;
  };

  beforeAll(async () => {
    if (!existsSync(CHROMIUM)) throw new Error(`${CHROMIUM} is missing: apt-get install chromium`);
    database = await createTestDatabase({ poolSize: 1 });
    service = await startProcess(
      {
        DATABASE_URL: database.url,
        PORT: '0',
        HOST: '127.0.0.1',
        UNIMSG_ADMIN_KEY: ADMIN_KEY,
        UNIMSG_ENCRYPTION_KEYS: `k1:${Buffer.alloc(32, 1).toString('base64')}`,
        UNIMSG_SIMULATOR: 'on',
        UNIMSG_LOG_LEVEL: 'error',
      },
      { quiet: true },
    );
    apiKey = (await admin('POST', '/admin/tenants', { name: 'Browser' })).data.api_key;
    const twilio = {
      display_name: 'Twilio',
      credentials: { account_sid: `AC${'0'.repeat(32)}`, auth_token: 'f'.repeat(32) },
      from_number: '+15005550006',
      status: 'active',
    };
    await admin('POST', '/communication/twilio/configs', twilio, apiKey);
    await admin('PUT', '/v1/gateways', { gateways: { sms: { primary: 'twilio' } } }, apiKey);

    browser = await chromium.launch({ executablePath: CHROMIUM, headless: true, args: FLAGS });
    page = await browser.newPage({ viewport: { width: 1280, height: 1000 } });
    page.setDefaultTimeout(30_000);
    page.on('request', (request) => requested.push(request.url()));
    page.on('pageerror', (error) => complaints.push(error.message));
    page.on('console', (message) => {
      if (message.type() === 'error') complaints.push(message.text());
    });
    await page.goto(`${service.url}/docs`);
    await page.locator('.opblock-tag').first().waitFor();
    document = (await (await fetch(`${service.url}/openapi.json`)).json()) as Document;
  }, 120_000);

  afterAll(async () => {
    await browser?.close();
    await service?.stop();
    await database?.drop();
  });

  test('shows the sections in their order, each with a description', async () => {
    await picture('page');
    expect(await page.title()).toBe('UniMsg API');
    const sections = await page
      .locator('.opblock-tag')
      .evaluateAll((tags) =>
        tags.map((tag) => ({ name: tag.getAttribute('data-tag'), text: tag.querySelector('small')?.textContent })),
      );
    const names = sections.map(({ name }) => name);
    expect(names).toEqual(document.tags.map(({ name }) => name));
    expect(names.at(0)).toBe('Sending');
    expect(names).toEqual(expect.arrayContaining(['Twilio configs', 'SMPP configs', 'Operation']));
    expect(sections.filter(({ text }) => !text)).toEqual([]);
  });

  test('sends a message with the key and reads it', async () => {
    await page.getByRole('button', { name: 'Authorize' }).click();
    const dialog = page.locator('.dialog-ux');
    const form = dialog.locator('.auth-container', { hasText: 'A tenant’s API key' });
    await form.locator('input').fill(apiKey);
    await form.locator('button.authorize').click();
    await form.getByRole('button', { name: 'Remove authorization' }).waitFor();
    await picture('authorized');
    await dialog.locator('.close-modal').click();

    const send = await open('sendSms');
    await picture('send');
    const accepted = await execute(send);
    await picture('sent');
    expect(accepted).toEqual({
      status: '202',
      body: { success: true, data: expect.objectContaining({ message_id: expect.any(String), status: 'queued' }) },
    });

    const read = await open('getMessage');
    const id = accepted.body.data.message_id;
    await read.locator('tr[data-param-name="message_id"] input').fill(id);
    const message = await execute(read);
    await picture('read');
    expect(message).toMatchObject({ status: '200', body: { data: { message_id: id, to: '+393331234567' } } });
  }, 120_000);

  test('offers optional filters without filling them in', async () => {
    const list = await open('listMessages');
    await picture('list');
    const { status, body } = await execute(list);
    expect({ status, count: body.data.length }).toEqual({ status: '200', count: 1 });
  }, 120_000);

  test('shows the magic recipients as a table', async () => {
    const simulator = await open('listSimulatedMessages');
    await picture('simulator');
    expect(await simulator.locator('.opblock-description table tbody tr').count()).toBe(MAGIC_ROWS);
  }, 120_000);

  test('asks nobody but the service, and nothing fails', () => {
    const hosts = new Set(requested.filter((url) => !url.startsWith('data:')).map((url) => new URL(url).origin));
    expect([...hosts]).toEqual([service.url]);
    expect(complaints).toEqual([]);
  });
});
