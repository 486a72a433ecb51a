import { z } from 'zod';
import { CHANNELS } from '../../kernel/channel';
import { DEFAULT_ON_AMBIGUOUS, DEFAULT_RECONCILE_SECONDS, SEALED } from './routes';

const target = z
  .string()
  .min(1)
  .max(64)
  .meta({ description: 'A provider key, an alias of it, or a config (`cfg_…`).', example: 'twilio' });

/** One channel of the document. */
export const channelRoutesSchema = z
  .strictObject({
    primary: target.meta({ description: 'The gateway that is asked first.', example: 'twilio' }),
    fallback: z
      .array(target)
      .max(20)
      .optional()
      .meta({ description: 'The gateways that are asked next, in order.', example: ['vonage'] }),
    routing: z
      .record(z.string().regex(/^(\*|\+\d{1,15})$/, 'must be + and digits, or *'), target)
      .refine((routing) => Object.keys(routing).length <= 1000, { error: 'must have at most 1000 prefixes' })
      .optional()
      .meta({
        description:
          'Prefix of the recipient, or `*`, to the gateway that is asked first for it. The longest prefix wins.',
        example: { '+39': 'vonage', '*': 'twilio' },
      }),
    on_ambiguous: z
      .enum(['failover', 'hold'])
      .optional()
      .meta({
        description: `What follows when it stays unknown whether a gateway took a message: the next gateway, or \`failed\`. Default: \`${DEFAULT_ON_AMBIGUOUS}\`.`,
        example: 'failover',
      }),
    reconcile_seconds: z
      .number()
      .int()
      .min(0)
      .max(600)
      .optional()
      .meta({
        description: `How long UniMsg tries to find that out. Default: ${DEFAULT_RECONCILE_SECONDS}.`,
        example: 10,
      }),
  })
  .meta({ description: 'How messages of the channel find their gateway.' });

const telegramRoutesSchema = channelRoutesSchema
  .extend({
    bot_token: z
      .string()
      .min(1)
      .max(512)
      .optional()
      .meta({
        description: `Makes your Telegram config, or changes its token: sealed at once, and read back as \`${SEALED}\`, which given again changes nothing.`,
        example: '123456789:AAExample-Token_0123456789abcdefghi',
      }),
  })
  .meta(channelRoutesSchema.meta()!);

/** The body of `PUT /v1/gateways`. */
export const routesDocumentSchema = z.strictObject({
  client_id: z.string().optional().meta({
    description: 'Your own client id; as it is read, it may be given back.',
    example: 'demo_4k2jx7c0q9w1e5r8',
  }),
  gateways: z
    .strictObject(
      Object.fromEntries(
        CHANNELS.map((channel) => [
          channel,
          (channel === 'telegram' ? telegramRoutesSchema : channelRoutesSchema).optional(),
        ]),
      ) as Record<(typeof CHANNELS)[number], z.ZodOptional<typeof channelRoutesSchema | typeof telegramRoutesSchema>>,
    )
    .meta({
      description: 'The whole document: a channel that is not in it has no gateway.',
      example: { sms: { primary: 'twilio', fallback: ['vonage'], routing: { '+39': 'vonage', '*': 'twilio' } } },
    }),
});
