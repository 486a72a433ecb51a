import { Injectable } from '@nestjs/common';
import type { NormalizedEvent } from '../../gateway/contracts/callback';
import { Database, statement } from '../../platform/database/database';
import { textArray } from '../../platform/database/pg-array';

const KNOWN_IDS = statement(
  'external_ids.known',
  'SELECT external_id FROM external_ids WHERE config_id = $1 AND external_id = ANY($2::text[])',
);

/** Tells under which of the forms that a provider's id may have a message is known. */
@Injectable()
export class KnownIds {
  constructor(private readonly database: Database) {}

  /** Events of a config, each with that one of the forms of its id under which a message is known; else as it is. No query where no id has forms. */
  async choose(configId: string, events: readonly NormalizedEvent[]): Promise<NormalizedEvent[]> {
    const forms = events.flatMap(({ idForms }) => idForms ?? []);
    if (forms.length === 0) return [...events];
    const rows = await this.database.query<{ external_id: string }>(KNOWN_IDS, [
      configId,
      textArray([...new Set(forms)]),
    ]);
    const known = new Set(rows.map((row) => row.external_id));
    return events.map((event) => {
      const { idForms, ...rest } = event;
      if (!idForms) return event;
      return { ...rest, externalId: idForms.find((form) => known.has(form)) ?? event.externalId } as NormalizedEvent;
    });
  }
}
