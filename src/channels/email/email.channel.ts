import type { ChannelDescriptor, PreparedContent } from '../../messaging/channel-registry';
import { invalidFields, validateBody } from '../../platform/http/validation';
import { bodyBesideTemplate, emailContent } from './email-content';
import { isOwnTemplate, SendEmailDto } from './send-email.dto';

const DAY_MS = 24 * 3600 * 1000;

/** Email, as intake needs it. The recipient of the message is the first of `to`. */
export const emailChannel: ChannelDescriptor<SendEmailDto> = {
  channel: 'email',
  dto: SendEmailDto,
  defaultExpiryMs: DAY_MS,

  ownTemplate(dto: SendEmailDto) {
    const { template_id: id, template_data: data = {}, ...rest } = dto;
    if (!isOwnTemplate(id)) return undefined;
    const errors = bodyBesideTemplate(dto);
    if (errors.length > 0) throw invalidFields(errors);
    return {
      request: { id, data, fields: { id: 'template_id', data: 'template_data' } },
      // What the request says itself, its subject say, comes before what the template says.
      fill: (rendered: Record<string, unknown>) =>
        validateBody(SendEmailDto, { ...rendered, ...rest, subject: rest.subject ?? rendered['subject'] }),
    };
  },

  prepare(dto: SendEmailDto): PreparedContent {
    const { content, errors } = emailContent(dto);
    if (errors.length > 0) throw invalidFields(errors);
    return {
      recipient: content.to[0]!.email,
      sender: content.from?.email ?? null,
      content,
      encoding: null,
      segments: null,
      ucs2Characters: [],
    };
  },
};
