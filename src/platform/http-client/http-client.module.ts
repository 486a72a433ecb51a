import type { OnApplicationShutdown } from '@nestjs/common';
import { Inject, Module } from '@nestjs/common';
import type { AppConfig } from '../../config/app-config';
import { APP_CONFIG } from '../../config/app-config';
import { GUARDED_HTTP_CLIENT, HTTP_CLIENT } from './http-client';
import { SsrfGuard } from './ssrf-guard';
import { UndiciHttpClient } from './undici-http-client';

// Owns every outbound HTTP connection: the trusted client for providers, the guarded one for addresses that tenants give.
// Must not know what is sent or what an answer means.
@Module({
  providers: [
    {
      provide: SsrfGuard,
      inject: [APP_CONFIG],
      useFactory: (config: AppConfig) => new SsrfGuard(config.allowedPrivateCidrs),
    },
    { provide: HTTP_CLIENT, useFactory: () => new UndiciHttpClient() },
    {
      provide: GUARDED_HTTP_CLIENT,
      inject: [SsrfGuard],
      // Many tenants may use one host: those whose path hangs must not keep the connections from the others.
      useFactory: (guard: SsrfGuard) => new UndiciHttpClient({ guard, connectionsPerOrigin: 1024 }),
    },
  ],
  exports: [HTTP_CLIENT, GUARDED_HTTP_CLIENT, SsrfGuard],
})
export class HttpClientModule implements OnApplicationShutdown {
  constructor(
    @Inject(HTTP_CLIENT) private readonly trusted: UndiciHttpClient,
    @Inject(GUARDED_HTTP_CLIENT) private readonly guarded: UndiciHttpClient,
  ) {}

  async onApplicationShutdown(): Promise<void> {
    await Promise.all([this.trusted.close(), this.guarded.close()]);
  }
}
