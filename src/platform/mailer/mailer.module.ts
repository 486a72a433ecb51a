import { Global, Module, type OnApplicationShutdown } from '@nestjs/common';
import { APP_CONFIG, type AppConfig } from '../../config/app-config';
import { CLOCK, type Clock } from '../../kernel/clock';
import { Dialer } from '../http-client/dialer';
import { SsrfGuard } from '../http-client/ssrf-guard';
import { MetricsRegistry } from '../observability/metrics-registry';
import { MailStandIn } from './mail-stand-in';
import { Mailer } from './mailer';

/** The operator may have its mail server anywhere. */
const ANYWHERE = ['0.0.0.0/0', '::/0'];

/** Decides how mails of the service itself leave it. Knows nothing of what is in them; tenants' mails are the email channel's. */
@Global()
@Module({
  providers: [
    { provide: MailStandIn, useFactory: () => new MailStandIn() },
    {
      provide: Mailer,
      inject: [APP_CONFIG, MailStandIn, CLOCK, MetricsRegistry],
      useFactory: (config: AppConfig, standIn: MailStandIn, clock: Clock, metrics: MetricsRegistry) => {
        const dialer = new Dialer(new SsrfGuard(ANYWHERE), (host) =>
          host === standIn.address?.host ? standIn.address.port : undefined,
        );
        const mails = metrics.counter('unimsg_mails_total', 'Mails of the service itself that were tried', ['result']);
        return new Mailer(config.mailDomain, config.smtp, standIn, dialer, clock, (result) => mails.inc({ result }));
      },
    },
  ],
  exports: [MailStandIn, Mailer],
})
export class MailerModule implements OnApplicationShutdown {
  constructor(private readonly mailer: Mailer) {}

  onApplicationShutdown(): void {
    this.mailer.close();
  }
}
