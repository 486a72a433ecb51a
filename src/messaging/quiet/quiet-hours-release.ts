import { Injectable } from '@nestjs/common';
import { isDeepStrictEqual } from 'node:util';
import { SettingsListeners } from '../../tenancy/settings/settings-listeners';

/** When a tenant changes its quiet hours, what waits for them is looked at anew: the dispatcher sends it, or lets it wait for the new ones. */
@Injectable()
export class QuietHoursRelease {
  constructor(listeners: SettingsListeners) {
    listeners.add(async (tx, clientId, before, after) => {
      if (isDeepStrictEqual([before.quietHours, before.timeZone], [after.quietHours, after.timeZone])) return;
      await tx.execute(
        // Not what somebody has in hand at this moment: who writes messages locks them in another order.
        `UPDATE message_queue SET due_at = now() WHERE message_id IN (
           SELECT message_id FROM message_queue
           WHERE client_id = $1 AND waiting_on = 'quiet_hours' AND claimed_by IS NULL AND due_at > now() FOR UPDATE SKIP LOCKED)`,
        [clientId],
      );
    });
  }
}
