import type { ChannelDescriptor, PreparedContent } from '../../messaging/channel-registry';
import { invalidFields } from '../../platform/http/validation';
import { emailContent } from './email-content';
import { SendEmailDto } from './send-email.dto';

const DAY_MS = 24 * 3600 * 1000;

/** Email, as intake needs it. The recipient of the message is the first of `to`. */
export const emailChannel: ChannelDescriptor<SendEmailDto> = {
  channel: 'email',
  dto: SendEmailDto,
  defaultExpiryMs: DAY_MS,

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
