import type { WhatsAppContent } from '../../gateway/contracts/gateway';
import { readPhoneNumber } from '../../kernel/phone-number';
import { Problem } from '../../kernel/problem';
import type { ChannelDescriptor, PreparedContent } from '../../messaging/channel-registry';
import { SendWhatsAppDto } from './send-whatsapp.dto';

const BODIES = ['message', 'template', 'media'] as const;

/** WhatsApp, as intake needs it. */
export const whatsAppChannel: ChannelDescriptor<SendWhatsAppDto> = {
  channel: 'whatsapp',
  dto: SendWhatsAppDto,
  defaultExpiryMs: 3_600_000,

  prepare(dto: SendWhatsAppDto): PreparedContent {
    return {
      recipient: phoneNumber('to', dto.to),
      sender: dto.from === undefined ? null : phoneNumber('from', dto.from),
      content: contentOf(dto),
      encoding: null,
      segments: null,
      ucs2Characters: [],
    };
  },
};

function phoneNumber(field: 'to' | 'from', text: string): string {
  const number = readPhoneNumber(text);
  if (number !== undefined) return number;
  throw Problem.field(field, 'invalid_phone_number', 'must be a phone number in E.164 form, such as +393331234567');
}

/** @throws Problem unless there is exactly one thing to say */
function contentOf({ message, template, media }: SendWhatsAppDto): WhatsAppContent {
  const given = BODIES.filter((name) => ({ message, template, media })[name] !== undefined);
  if (given.length === 0) {
    throw new Problem('invalid_request', 'message, template or media: one of them is required', {
      errors: BODIES.map((field) => ({ field, code: 'required', message: 'one of message, template and media' })),
    });
  }
  if (given.length > 1) {
    throw new Problem('invalid_request', `${given.join(' and ')}: only one of them can be sent`, {
      errors: given.map((field) => ({ field, code: 'conflict', message: 'only one of message, template and media' })),
    });
  }
  if (template !== undefined) return { template: { ...template, parameters: template.parameters ?? [] } };
  if (media !== undefined) return { media: { ...media } };
  if (message!.trim() === '') throw Problem.field('message', 'required', 'must not be blank');
  return { text: message! };
}
