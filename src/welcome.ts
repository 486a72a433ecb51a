import type { AppConfig } from './config/app-config';
import { DEMO_NUMBER, type DemoAccount } from './demo';

export interface Welcome {
  url: string;
  config: AppConfig;
  demo: DemoAccount | undefined;
  /** The operator's key when this installation made it itself. */
  madeAdminKey: string | undefined;
}

/** What a person who just started the service needs next. */
export function welcome({ url, config, demo, madeAdminKey }: Welcome): string {
  const lines = [
    '',
    `  UniMsg listens on ${url}`,
    '',
    `  Swagger UI   ${url}/docs`,
    `  OpenAPI      ${url}/openapi.json`,
    `  Health       ${url}/health/ready`,
    ...(config.simulator ? [`  Simulator    ${url}/simulator/messages`] : []),
  ];
  if (madeAdminKey) lines.push(`  Admin key    ${madeAdminKey}`);
  if (demo) {
    lines.push(
      `  Demo tenant  ${demo.clientId}`,
      `  Demo key     ${demo.apiKey}`,
      '',
      '  Send a message (every provider is simulated; nothing leaves this machine):',
      '',
      `    curl -s ${url}/v1/sms/send -H 'Authorization: Bearer ${demo.apiKey}' -H 'Content-Type: application/json' \\`,
      `      -d '{"to":"+393331234567","message":"Hello from UniMsg"}'`,
      '',
      '  Read it, with the message_id of the answer:',
      '',
      `    curl -s ${url}/v1/messages/MESSAGE_ID -H 'Authorization: Bearer ${demo.apiKey}'`,
      '',
      '  Text the number of the demo tenant, as a person does, and read what came:',
      '',
      `    curl -s ${url}/simulator/inbound -H 'Content-Type: application/json' \\`,
      `      -d '{"provider":"twilio","from":"+393331234567","to":"${DEMO_NUMBER}","text":"Hello!"}'`,
      `    curl -s ${url}/v1/inbound -H 'Authorization: Bearer ${demo.apiKey}'`,
    );
  }
  return `${lines.join('\n')}\n\n`;
}
