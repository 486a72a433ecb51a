import { IsString } from 'class-validator';
import { silentLogger } from '../../kernel/logger';
import { Problem } from '../../kernel/problem';
import type { Principal } from '../../tenancy/principal';
import { BatchService } from './batch.service';
import type { IntakeService } from './intake.service';
import { SendOptionsDto } from './send-options.dto';

class TextDto extends SendOptionsDto {
  @IsString()
  message: string;
}

const tenant: Principal = { clientId: 'acme_0123456789ab', keyId: 'key_1', scopes: [], sandbox: false };
const away = Object.assign(new Error('terminating connection'), { code: '57P01' });

/** Of each item its text says what comes of it. */
const outcomes: Record<string, unknown> = {
  away,
  bug: new TypeError('x is undefined of secret'),
  refused: new Problem('quota_exceeded', 'No more today.'),
};

describe('BatchService', () => {
  const logged: unknown[] = [];
  const logger = { ...silentLogger, error: (what: object) => void logged.push(what) };
  const intake = {
    descriptor: () => ({ dto: TextDto }),
    accept: (_: Principal, __: string, { message }: TextDto) =>
      message in outcomes
        ? Promise.reject(outcomes[message] as Error)
        : Promise.resolve({ replayed: false, data: { message_id: `msg_${message}`, status: 'queued' } }),
  } as unknown as IntakeService;
  const batch = (...texts: string[]) =>
    new BatchService(intake, logger).accept(
      tenant,
      texts.map((message) => ({ channel: 'sms', message })),
    );

  beforeEach(() => {
    logged.length = 0;
  });

  it('answers what nobody expected for its item alone, and logs it', async () => {
    const { accepted, rejected, results } = await batch('1', 'bug', '2', 'away', 'refused');
    expect([accepted, rejected]).toEqual([2, 3]);
    expect(results.map(({ message_id, error }) => message_id ?? error!.code)).toEqual([
      'msg_1',
      'internal',
      'msg_2',
      'internal',
      'quota_exceeded',
    ]);
    expect(JSON.stringify(results)).not.toContain('secret');
    expect(logged).toEqual([{ err: outcomes['bug'], index: 1 }]);
  });

  it('fails whole only when all items failed for a fault of ours, as one to try again where one is', async () => {
    await expect(batch('bug', 'bug')).rejects.toMatchObject({ code: 'internal', status: 500 });
    await expect(batch('bug', 'away')).rejects.toMatchObject({ code: 'internal', status: 503 });
    expect((await batch('away', 'refused')).rejected).toBe(2);
  });
});
