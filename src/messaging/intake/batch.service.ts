import { Inject, Injectable } from '@nestjs/common';
import type { Channel } from '../../kernel/channel';
import { LOGGER, type Logger } from '../../kernel/logger';
import { Problem } from '../../kernel/problem';
import { toProblem } from '../../platform/http/problem-answer';
import { validateBody } from '../../platform/http/validation';
import type { Principal } from '../../tenancy/principal';
import { IntakeService } from './intake.service';
import type { BatchItemView, BatchView } from '../messages.dto';
import type { SendOptionsDto } from './send-options.dto';

/** Accepts many messages in one request. Each stands alone: a refused one does not touch its neighbours, and the order is kept. */
@Injectable()
export class BatchService {
  constructor(
    private readonly intake: IntakeService,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  async accept(principal: Principal, items: readonly unknown[]): Promise<BatchView> {
    // All at once: they share group commits. Nothing is sent before its row is committed.
    const results = await Promise.all(items.map((item, index) => this.acceptOne(principal, item, index)));
    // When every item failed for a fault of ours (the database is away, say) the whole call may be repeated: that is a 5xx, not a list of refusals.
    const faults = results.filter((result) => result instanceof Problem);
    if (faults.length === results.length && faults[0]) throw faults.find(({ status }) => status === 503) ?? faults[0];
    const views = results.map((result, index) => (result instanceof Problem ? refused(index, result) : result));
    const accepted = views.filter((view) => view.message_id !== undefined).length;
    return { accepted, rejected: views.length - accepted, results: views };
  }

  /** @returns a Problem for what is a fault of ours */
  private async acceptOne(principal: Principal, item: unknown, index: number): Promise<BatchItemView | Problem> {
    try {
      if (typeof item !== 'object' || item === null || Array.isArray(item)) {
        throw new Problem('invalid_request', 'must be an object', {
          errors: [{ field: '', code: 'invalid_type', message: 'must be an object' }],
        });
      }
      const { channel, ...body } = item as Record<string, unknown>;
      if (typeof channel !== 'string') throw Problem.field('channel', 'required', 'is required');
      const descriptor = this.intake.descriptor(channel);
      const dto = validateBody(descriptor.dto, body) as SendOptionsDto;
      if (dto.dry_run === true) throw Problem.field('dry_run', 'invalid_value', 'is for single sends');
      const acceptance = await this.intake.accept(principal, channel as Channel, dto);
      return {
        index,
        message_id: acceptance.data.message_id,
        status: acceptance.data.status,
        ...(acceptance.replayed ? { replayed: true } : {}),
      };
    } catch (error) {
      // What the platform knows to be a state of the database, say, is a 503; anything else nobody expected.
      const problem = toProblem(error);
      if (problem === undefined) this.logger.error({ err: error, index }, 'item of a batch failed');
      const known = problem ?? new Problem('internal', 'Something went wrong on our side. It was logged.');
      return known.status >= 500 ? known : refused(index, known);
    }
  }
}

function refused(index: number, problem: Problem): BatchItemView {
  const path = `messages[${index}]`;
  return {
    index,
    error: {
      code: problem.code,
      detail: problem.detail,
      errors: (problem.options.errors ?? []).map((error) => ({
        ...error,
        field: error.field ? `${path}.${error.field}` : path,
      })),
    },
  };
}
