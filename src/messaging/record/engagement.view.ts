import { ApiProperty } from '@nestjs/swagger';
import { BOUNCE_TYPES } from '../../gateway/contracts/callback';
import type { Engagement } from './engagement';

const count = (description: string, example = 0) => ApiProperty({ description, type: 'integer', example });
const time = (description: string, example: string | null = null) =>
  ApiProperty({ description, format: 'date-time', nullable: true, type: String, example });

/** What recipients did with an email. */
export class EngagementView implements Engagement {
  @count('How often it was opened, by people and machines.', 2)
  opens: number;

  @count('How often a link in it was clicked, by people and machines.', 1)
  clicks: number;

  @count('How often it came back.')
  bounces: number;

  @count('How often a recipient unsubscribed.')
  unsubscribes: number;

  @count('How often a recipient called it spam.')
  complaints: number;

  @count('Those of `opens` that the provider says no person made (a privacy proxy, a scanner).', 1)
  machine_opens: number;

  @count('Those of `clicks` that the provider says no person made.')
  machine_clicks: number;

  @time('When it was opened first.', '2026-11-22T08:41:12.000Z')
  first_opened_at: string | null;

  @time('When it was opened last.', '2026-11-22T09:02:40.000Z')
  last_opened_at: string | null;

  @time('When a link was clicked first.', '2026-11-22T09:02:55.000Z')
  first_clicked_at: string | null;

  @time('When a link was clicked last.', '2026-11-22T09:02:55.000Z')
  last_clicked_at: string | null;

  @time('When it came back first.')
  bounced_at: string | null;

  @time('When a recipient called it spam first.')
  complained_at: string | null;

  @time('When a recipient unsubscribed first.')
  unsubscribed_at: string | null;

  @ApiProperty({
    description:
      'The gravest bounce. `hard`: never again; `blocked`: refused by the receiver’s policy; `soft`: may work later.',
    enum: BOUNCE_TYPES,
    nullable: true,
    example: null,
  })
  bounce_type: Engagement['bounce_type'];
}
