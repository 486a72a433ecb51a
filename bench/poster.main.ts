/** The reference of webhook delivery: posts one body over and over with undici and does nothing else. */
import { Pool } from 'undici';
import { serveParent } from './child';

export interface PostCommand {
  type: 'post';
  port: number;
  connections: number;
  total: number;
  body: string;
}

serveParent<PostCommand>(async ({ port, connections, total, body }) => {
  const pool = new Pool(`http://127.0.0.1:${port}`, { connections });
  let left = total;
  const loop = async () => {
    while (left-- > 0) {
      const answer = await pool.request({
        path: '/hook',
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body,
      });
      await answer.body.dump();
      if (answer.statusCode !== 200) throw new Error(`the receiver answered ${answer.statusCode}`);
    }
  };
  await Promise.all(Array.from({ length: connections }, loop));
  await pool.close();
  return null;
});
