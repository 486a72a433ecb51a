import { errorRows } from '../../../gateway/contracts/error-rows';
import type { ErrorRow } from '../../../gateway/contracts/gateway-error';
import { TWILIO_ERRORS } from '../../../gateway/vendors/twilio/twilio.vocabulary';

const DAY_MS = 24 * 3600 * 1000;

/**
 * Twilio's codes, and those that only its channels beyond SMS have (63xxx, nearly all by callback). Titles after Twilio's error dictionary and its
 * table of Meta's codes (twilio.com/docs/whatsapp/api/error-code-mapping, 2026-11); the classes are ours.
 */
export const TWILIO_WHATSAPP_ERRORS: Readonly<Record<string, ErrorRow>> = Object.freeze({
  ...TWILIO_ERRORS,
  ...errorRows(
    { class: 'config', code: 'sender_not_allowed', scope: 'sender' },
    {
      63007: 'No WhatsApp sender is set up for the From number',
      63020: 'The sender has not been accepted or paid for',
      63022: 'The certificate of the sender is not valid',
    },
  ),
  ...errorRows({ class: 'config', code: 'bad_credentials' }, { 63001: 'Twilio could not sign in to WhatsApp' }),
  ...errorRows(
    { class: 'recipient_permanent', code: 'invalid_recipient' },
    {
      63003: 'The To address is not valid on WhatsApp',
      63024: 'The recipient is not valid',
    },
  ),
  ...errorRows({ class: 'recipient_permanent', code: 'recipient_unreachable' }, { 63033: 'The recipient is blocked' }),
  ...errorRows(
    { class: 'recipient_permanent', code: 'not_delivered_by_policy' },
    { 63032: 'The recipient is in an experiment and gets no marketing messages' },
  ),
  ...errorRows(
    { class: 'content_permanent', code: 'window_closed' },
    { 63016: 'The recipient has not written for 24 hours: only a template can be sent' },
  ),
  ...errorRows(
    { class: 'content_permanent', code: 'invalid_content' },
    {
      11751: 'The media are larger than 16 MB',
      63005: 'WhatsApp did not accept the content',
      63019: 'The media could not be fetched',
      63021: 'The content is not valid',
      63025: 'The media exist already',
      63030: 'A parameter is not supported',
    },
  ),
  ...errorRows({ class: 'content_permanent', code: 'content_filtered' }, { 63013: 'The message violates a policy' }),
  ...errorRows(
    { class: 'content_permanent', code: 'invalid_template' },
    {
      63027: 'The template does not exist in this language',
      63028: 'The number of parameters is not that of the template',
      63029: 'The template could not be fetched',
    },
  ),
  ...errorRows(
    { class: 'throttled', code: 'throttled' },
    { 63018: 'The rate limit of the channel, the sender or the portfolio is exceeded' },
  ),
  ...errorRows(
    { class: 'throttled', code: 'recipient_limit', scope: 'recipient', retryAfterMs: DAY_MS },
    { 63049: 'The recipient has had enough marketing messages for now' },
  ),
  ...errorRows(
    { class: 'transient', code: 'provider_unavailable' },
    {
      63010: 'Internal error of the channel',
      63012: 'Internal error of WhatsApp',
      63023: 'The channel failed in a way that it does not explain',
    },
  ),
});
