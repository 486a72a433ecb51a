import { measureSms } from '../../kernel/gsm';
import { readNationalNumber, readPhoneNumber } from '../../kernel/phone-number';
import { Problem } from '../../kernel/problem';
import type { ChannelDescriptor, PreparedContent } from '../../messaging/channel-registry';
import { SendSmsDto } from './send-sms.dto';

/** The common denominator of providers: a number, a short code, or at most 11 letters, digits and spaces with a letter among them. */
const SENDER = /^(\+[1-9]\d{1,14}|\d{3,15}|(?=.*[A-Za-z])[A-Za-z0-9 ]{1,11})$/;

/** SMS, as intake needs it. */
export const smsChannel: ChannelDescriptor<SendSmsDto> = {
  channel: 'sms',
  dto: SendSmsDto,
  defaultExpiryMs: 3_600_000,

  prepare(dto: SendSmsDto): PreparedContent {
    const { recipient, isNational } = phoneNumber(dto.to);
    if (dto.from !== undefined && !SENDER.test(dto.from)) {
      throw Problem.field(
        'from',
        'invalid_sender',
        'must be a number, a short code, or up to 11 letters, digits and spaces',
      );
    }
    if (dto.message.trim() === '') throw Problem.field('message', 'required', 'must not be blank');
    const measure = measureSms(dto.message);
    return {
      recipient,
      isNational,
      sender: dto.from ?? null,
      content: { text: dto.message },
      encoding: measure.encoding,
      segments: measure.segments,
      ucs2Characters: measure.ucs2Characters,
    };
  },
};

/** Whether a number is in use, only the network knows. */
function phoneNumber(text: string): Pick<PreparedContent, 'recipient' | 'isNational'> {
  const number = readPhoneNumber(text);
  if (number !== undefined) return { recipient: number };
  const national = readNationalNumber(text);
  if (national !== undefined) return { recipient: national, isNational: true };
  throw Problem.field('to', 'invalid_phone_number', 'must be a phone number in E.164 form, such as +393331234567');
}
