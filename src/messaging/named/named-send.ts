import type { Type } from '@nestjs/common';
import { ApiPropertyOptional, OmitType } from '@nestjs/swagger';
import { IsOptional, IsString, Length } from 'class-validator';
import type { Channel } from '../../kernel/channel';
import { SendOptionsDto } from '../intake/send-options.dto';
import type { MessageTimes } from '../record/message-reader';
import type { MessageView } from '../record/message.view';
import type { NamedMessageView } from './named-message.view';

/** The common fields of a send whose provider is in the path. */
export class NamedSendOptionsDto extends OmitType(SendOptionsDto, ['provider']) {
  @ApiPropertyOptional({
    description: 'Which of your accounts at the provider. Default: the oldest active one.',
    example: 'cfg_01kaqz9yq8e5v6m3c2n1b0a9s8',
  })
  @IsOptional()
  @IsString()
  @Length(1, 64)
  config_id?: string;
}

/** What a channel tells of one kind of messages, so that every provider of it gets its own path for sending, listing and reading them. */
export interface NamedSendKind<Body extends NamedSendOptionsDto = NamedSendOptionsDto> {
  channel: Channel;
  /** Path below `/communication/{provider}`: `sms`, `messages/template`. */
  path: string;
  /** In names of operations: `sendTwilioSms`, `listTwilioSms`. */
  noun: { one: string; many: string };
  /** In sentences: “an SMS”, “SMS”. */
  words: { one: string; many: string };
  /** What a send takes; extends {@link NamedSendOptionsDto}. */
  body: Type<Body>;
  /** A body that works with the simulator. */
  example: object;
  /** The same for providers that the first one does not suit, by slug. */
  examples?: Readonly<Record<string, object>>;
  /** The channel's own send for it, as plain fields. `config_id` is taken out before. */
  toSend(body: Omit<Body, 'config_id'>): object;
  /** Fields of the channel's send that are called otherwise here: errors name them in the words of this path. */
  fields: Readonly<Record<string, string>>;
  /** Lists and reads have only messages whose content has this member. Default: all. */
  contentMember?: string;
  /** The record; extends {@link NamedMessageView}. */
  view: Type<NamedMessageView>;
  /** The fields of the kind, from a message whose content may have been erased. */
  describe(message: MessageView, times: MessageTimes): object;
}

/** Checks a kind against its own body, and forgets which that is: what comes to {@link NamedSendKind.toSend} was read as `body` before. */
export function namedSendKind<Body extends NamedSendOptionsDto>(kind: NamedSendKind<Body>): NamedSendKind {
  return kind as unknown as NamedSendKind;
}
