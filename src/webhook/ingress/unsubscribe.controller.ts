import { Controller, Get, Inject, Param, Post, Res } from '@nestjs/common';
import { ApiOperation, ApiParam, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { Response } from 'express';
import { ConfigDirectory, type CallbackConfig } from '../../gateway/configs/config-directory';
import { ProviderRegistry } from '../../gateway/provider-registry';
import { isUnsubscribeToken, readUnsubscribeToken } from '../../gateway/contracts/unsubscribe-token';
import { CLOCK, type Clock } from '../../kernel/clock';
import { messageIdTime } from '../../kernel/ids';
import { Problem } from '../../kernel/problem';
import { ApiProblems } from '../../platform/http/openapi.decorators';
import { Public } from '../../tenancy/auth.decorators';
import { CallbackStore } from './callback-store';

const TOKEN = ApiParam({
  name: 'token',
  description: 'From the mail. Says which message it is about, and proves itself.',
  example: 'cfg_01kaqz9yq8e5v6m3c2n1b0a9s8.msg_01kaqz9yq8e5v6m3c2n1b0a9s8.2kX0mZ1cQmVvYl0Yw4oJtqg1b3o7dX3nq1jY5y2lYvE',
});
const HTML = { 'text/html': { schema: { type: 'string' as const, example: '<!doctype html>…' } } };

/**
 * Where the `List-Unsubscribe` of mails leads, for providers that have no way of their own. Mail programs POST here with one click (RFC 8058); a
 * person who follows the link is asked first, since scanners follow links too.
 */
@ApiTags('Unsubscribing')
@Controller('unsubscribe')
export class UnsubscribeController {
  constructor(
    private readonly registry: ProviderRegistry,
    private readonly directory: ConfigDirectory,
    private readonly store: CallbackStore,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  @Get(':token')
  @Public()
  @ApiOperation({
    operationId: 'askToUnsubscribe',
    summary: 'Ask a recipient whether to unsubscribe',
    description: 'A page with one button. Changes nothing.',
  })
  @TOKEN
  @ApiResponse({ status: 200, description: 'The page.', content: HTML })
  @ApiProblems('not_found')
  async ask(@Param('token') token: string, @Res() response: Response): Promise<void> {
    await this.claimOf(token);
    page(
      response,
      'Unsubscribe',
      '<form method="post"><button type="submit">Unsubscribe from these mails</button></form>',
    );
  }

  @Post(':token')
  @Public()
  @ApiOperation({
    operationId: 'unsubscribe',
    summary: 'Unsubscribe a recipient',
    description:
      'One click of a mail program, whose body (`List-Unsubscribe=One-Click`) may have any content type, or the button of the page. Counts once, however often it comes.',
  })
  @TOKEN
  @ApiResponse({ status: 200, description: 'Unsubscribed, now or before.', content: HTML })
  @ApiProblems('not_found', 'payload_too_large')
  async unsubscribe(@Param('token') token: string, @Res() response: Response): Promise<void> {
    const { config, messageId } = await this.claimOf(token);
    const now = this.clock.now();
    const eventId = `unsubscribe:${messageId}`;
    await this.store.store({
      clientId: config.clientId,
      configId: config.id,
      provider: config.provider,
      kind: 'events',
      event: { kind: 'engagement', type: 'unsubscribed', eventId, messageId, occurredAt: now, rawWord: 'unsubscribe' },
      eventId,
      receivedAt: now,
      request: { method: 'POST', query: '', headers: {} },
      rawBody: Buffer.alloc(0),
    });
    page(response, 'You are unsubscribed', '<p>You will get no more of these mails.</p>');
  }

  /** @throws Problem not_found for a token that no config of ours made: nothing tells a wrong one from one that is out of date */
  private async claimOf(token: string): Promise<{ config: CallbackConfig['config']; messageId: string }> {
    const claim = readUnsubscribeToken(token);
    const found = claim && messageIdTime(claim.messageId) !== null ? await this.configOf(claim.configId) : undefined;
    if (!claim || !found || !isUnsubscribeToken(token, claim, found.secrets.urlToken))
      throw Problem.notFound('unsubscribe link');
    return { config: found.config, messageId: claim.messageId };
  }

  private async configOf(configId: string): Promise<CallbackConfig | undefined> {
    for (const { slug } of this.registry.inChannel('email')) {
      const [found] = await this.directory.findForCallback(slug, { configId });
      if (found) return found;
    }
    return undefined;
  }
}

function page(response: Response, title: string, body: string): void {
  response.status(200);
  response.setHeader('Content-Type', 'text/html; charset=utf-8');
  response.setHeader('Cache-Control', 'no-store');
  response.setHeader('Content-Security-Policy', "default-src 'none'; form-action 'self'; frame-ancestors 'none'");
  response.setHeader('Referrer-Policy', 'no-referrer');
  response.end(
    `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${title}</title></head><body><h1>${title}</h1>${body}</body></html>`,
  );
}
