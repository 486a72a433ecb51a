import { Inject, Injectable } from '@nestjs/common';
import type { Request, Response } from 'express';
import type { Channel } from '../../kernel/channel';
import { LOGGER, type Logger } from '../../kernel/logger';
import { Problem } from '../../kernel/problem';
import { ok, type Success } from '../../platform/http/envelope';
import type { Principal } from '../../tenancy/principal';
import { MessageReader } from '../record/message-reader';
import type { MessageView } from '../record/message.view';
import { DryRunService } from './dry-run.service';
import { IntakeService } from './intake.service';
import type { SendOptionsDto } from './send-options.dto';
import { SendWaits } from './send-waits';

/**
 * Answers every send, whatever its channel: dry run, acceptance, idempotent replay and `Prefer: wait`.
 */
@Injectable()
export class SendResponder {
  constructor(
    private readonly intake: IntakeService,
    private readonly dryRuns: DryRunService,
    private readonly reader: MessageReader,
    private readonly waits: SendWaits,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  /**
   * Sets status and headers on the response, answers the body.
   * @param show what `Prefer: wait` answers of the message; default: the message
   * @throws Problem
   */
  async respond(
    principal: Principal,
    channel: Channel,
    dto: SendOptionsDto,
    request: Request,
    response: Response,
    show?: (message: MessageView) => Promise<object>,
  ): Promise<Success<object>> {
    const waitSeconds = preferredWait(request.headers['prefer']);
    if (dto.dry_run === true) {
      response.status(200);
      return ok(await this.dryRuns.explain(principal, channel, dto));
    }
    const header = request.headers['idempotency-key'];
    const acceptance = await this.intake.accept(principal, channel, dto, Array.isArray(header) ? header[0] : header);
    if (acceptance.replayed) response.setHeader('Idempotent-Replayed', 'true');
    // One that is for later does not leave the queue while a request can wait.
    const isForNow = acceptance.httpStatus === 202 && acceptance.data.status === 'queued';
    if (waitSeconds > 0 && isForNow && this.waits.hasRoom()) {
      response.setHeader('Preference-Applied', `wait=${waitSeconds}`);
      const message = await this.settled(principal.clientId, acceptance.data.message_id, waitSeconds, response, show);
      if (message) {
        response.status(200);
        return ok(message);
      }
    }
    response.status(acceptance.httpStatus);
    return ok(acceptance.data);
  }

  /** The message once it has left `queued` and `sending`; undefined when that is not seen within the time. Does not throw. */
  private async settled(
    clientId: string,
    messageId: string,
    seconds: number,
    response: Response,
    show?: (message: MessageView) => Promise<object>,
  ): Promise<object | undefined> {
    try {
      const left = await this.waits.leftQueue(clientId, messageId, seconds * 1000, () => response.destroyed);
      if (!left) return undefined;
      const message = await this.reader.get(clientId, messageId);
      return show ? await show(message) : message;
    } catch (error) {
      // The message is accepted, whatever keeps us from looking at it: a refusal now would make its client send it again.
      this.logger.warn({ err: error, messageId }, 'could not look whether a message was sent');
      return undefined;
    }
  }
}

/** `Prefer: wait=N` (RFC 7240), 1 to 30 s; 0 when it is not asked for. Other preferences are ignored, as the RFC wants. */
function preferredWait(header: string | string[] | undefined): number {
  if (header === undefined) return 0;
  const match = /(?:^|[,;\s])wait\s*=\s*"?([^",;\s]*)"?/i.exec(String(header));
  if (!match) return 0;
  const seconds = Number(match[1]);
  if (!Number.isInteger(seconds) || seconds < 1 || seconds > 30)
    throw Problem.field('Prefer', 'invalid_value', 'wait must be a whole number from 1 to 30');
  return seconds;
}
