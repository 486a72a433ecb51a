import { Injectable } from '@nestjs/common';
import type { Channel } from '../../kernel/channel';
import { Problem } from '../../kernel/problem';
import { validateBody } from '../../platform/http/validation';
import type { Principal } from '../../tenancy/principal';
import { IntakeService } from './intake.service';
import type { BatchItemView, BatchView } from '../messages.dto';
import type { SendOptionsDto } from './send-options.dto';

/** Accepts many messages in one request. Each stands alone: a refused one does not touch its neighbours, and the order is kept. */
@Injectable()
export class BatchService {
  constructor(private readonly intake: IntakeService) {}

  async accept(principal: Principal, items: readonly unknown[]): Promise<BatchView> {
    // All at once: they share group commits. Nothing is sent before its row is committed.
    const results = await Promise.all(items.map((item, index) => this.acceptOne(principal, item, index)));
    // When nothing could be stored because the database is away, the whole call may be repeated: that is a 503, not a list of refusals.
    const down = results.find((result) => result instanceof Problem);
    if (down && results.every((result) => result instanceof Problem || result.error)) throw down;
    const views = results.map((result, index) => (result instanceof Problem ? refused(index, result) : result));
    const accepted = views.filter((view) => view.message_id !== undefined).length;
    return { accepted, rejected: views.length - accepted, results: views };
  }

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
      if (!(error instanceof Problem)) throw error;
      return error.status === 503 ? error : refused(index, error);
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
