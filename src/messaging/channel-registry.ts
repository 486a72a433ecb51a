import type { Channel } from '../kernel/channel';
import type { OwnTemplateRequest } from './own-templates';
import type { SendOptionsDto } from './intake/send-options.dto';

/** What a channel makes of a validated request: the recipient and content in the form that gateways read. */
export interface PreparedContent {
  /** Canonical form: E.164 for numbers. */
  recipient: string;
  /** The recipient is a number as people of one country write it; the account that is to send says which country. */
  isNational?: boolean;
  sender: string | null;
  content: object;
  encoding: 'gsm7' | 'ucs2' | null;
  segments: number | null;
  /** Characters that force UCS-2, each once; shown by a dry run. */
  ucs2Characters: string[];
}

/** One channel, as intake needs it. A channel's module registers its own. */
export interface ChannelDescriptor<Dto extends SendOptionsDto = SendOptionsDto> {
  channel: Channel;
  /** Validates `POST /v1/{channel}/send` and items of a batch. */
  dto: new () => Dto;
  /** How long a message is worth sending when the request does not say, milliseconds. */
  defaultExpiryMs: number;
  /**
   * The tenant's own template that a request names, and the request with what the template says; undefined, as for most: none.
   * @throws Problem naming the field
   */
  ownTemplate?(dto: Dto): { request: OwnTemplateRequest; fill(rendered: Record<string, unknown>): Dto } | undefined;
  /** What decorators cannot check, and normalisation. @throws Problem naming the field */
  prepare(dto: Dto): PreparedContent;
}

/** The channels that this build knows. */
export class ChannelRegistry {
  private readonly descriptors = new Map<string, ChannelDescriptor>();

  register<Dto extends SendOptionsDto>(descriptor: ChannelDescriptor<Dto>): void {
    this.descriptors.set(descriptor.channel, descriptor as unknown as ChannelDescriptor);
  }

  get(channel: string): ChannelDescriptor | undefined {
    return this.descriptors.get(channel);
  }

  names(): string[] {
    return [...this.descriptors.keys()];
  }
}
