import { Controller, Get, Query } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import { Problem } from '../../kernel/problem';
import { Database } from '../../platform/database/database';
import { EVENT_TYPES } from '../../platform/events/event-store';
import { decodeCursor, encodeCursor } from '../../platform/http/cursor';
import { page, type Page } from '../../platform/http/envelope';
import { ApiPage, ApiProblems } from '../../platform/http/openapi.decorators';
import { CurrentTenant, Scopes } from '../../tenancy/auth.decorators';
import type { Principal } from '../../tenancy/principal';
import { positionOf, readEvents, rfc3339, type EventPosition } from './event-reader';
import { EventsQueryDto, EventView } from './events.dto';

const LIST = 'events';
const START: EventPosition = { tx: '0', seq: '0', floor: '-infinity' };
/** Most events that one call looks through for the types that it wants. */
const MOST_SCANNED = 5000;
const SCAN = 500;
const KNOWN_TYPES: ReadonlySet<string> = new Set(EVENT_TYPES);

@ApiTags('Events')
@Controller('v1/events')
export class EventsController {
  constructor(private readonly database: Database) {}

  @Get()
  @Scopes()
  @ApiOperation({
    operationId: 'pullEvents',
    summary: 'Pull events, oldest first',
    description:
      'The same stream as the webhooks, to read at your own pace: keep `meta.next_cursor` and give it back as `after`. It is always given, also when there was nothing new, and a call with `types` may answer fewer events than there are behind it: go on until an answer is empty and its cursor is the one that you gave. Needs the scope `messages:read` or `webhooks:read`.',
  })
  @ApiPage(EventView, { description: 'The events behind the cursor, in the order in which webhooks get them.' })
  @ApiProblems('invalid_request')
  async pull(@CurrentTenant() tenant: Principal, @Query() query: EventsQueryDto): Promise<Page<EventView>> {
    if (!tenant.scopes.includes('messages:read') && !tenant.scopes.includes('webhooks:read')) {
      throw new Problem('forbidden', 'The key needs the scope messages:read or webhooks:read.');
    }
    const types = query.types === undefined ? null : typesOf(query.types);
    let position = query.after === undefined ? START : positionFrom(query.after);
    const events: EventView[] = [];
    let scanned = 0;
    await this.database.tenant(tenant.clientId, async (tx) => {
      while (events.length < query.limit && scanned < MOST_SCANNED) {
        const wanted = types === null ? query.limit : SCAN;
        const rows = await readEvents(tx, tenant.clientId, position, wanted, types);
        scanned += rows.length;
        for (const row of rows) {
          if (events.length === query.limit) break;
          position = positionOf(row);
          if (row.data !== null) {
            events.push({
              id: row.id,
              event: row.type,
              data: JSON.parse(row.data) as Record<string, unknown>,
              created_at: rfc3339(row.created_at),
            });
          }
        }
        if (rows.length < wanted) break;
      }
    });
    return page(events, encodeCursor(LIST, position.tx, position.seq, position.floor), query.limit);
  }
}

function typesOf(text: string): string[] {
  const types = text.split(',').map((type) => type.trim());
  for (const type of types) {
    if (!KNOWN_TYPES.has(type)) throw Problem.field('types', 'unknown_event', `must be of ${EVENT_TYPES.join(', ')}`);
  }
  return types;
}

const MOST = 2n ** 63n;

function positionFrom(cursor: string): EventPosition {
  const invalid = () => Problem.field('after', 'invalid_cursor', 'is not a cursor of this list');
  let parts: string[];
  try {
    parts = decodeCursor(cursor, LIST, 3);
  } catch {
    throw invalid();
  }
  const [tx, seq, floor] = parts as [string, string, string];
  for (const number of [tx, seq]) if (!/^\d{1,19}$/.test(number) || BigInt(number) >= MOST) throw invalid();
  if (floor !== START.floor && !(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/.test(floor) && Date.parse(floor) > 0))
    throw invalid();
  return { tx, seq, floor };
}
