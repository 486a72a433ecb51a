import { optOutWord } from './opt-out-words';

describe('optOutWord', () => {
  test.each([
    'STOP',
    'stop',
    ' Stop. ',
    '“STOP”',
    'Stop!!!',
    'STOPALL',
    'stop all',
    'Unsubscribe',
    'opt-out',
    'arrêt',
    'ARRET',
    'Désabonner',
    'Abmelden',
    'ABBESTELLEN',
    'cancella',
    'baja',
    'SAIR',
    'avanmäl',
    'στοπ',
    'СТОП',
    'Отписаться',
    'iptal',
    'İPTAL',
    'إيقاف',
    'הסר',
    '停止',
    '退订',
    '수신거부',
    'ストップ',
    'ＳＴＯＰ',
  ])('%s stops', (text) => expect(optOutWord(text)).toBe('stop'));

  test.each(['START', 'unstop', 'Start.', 'ALTA', 'anmelden', 'riprendi', 'старт', 'başla', '订阅', '시작', 'wznów'])(
    '%s starts again',
    (text) => expect(optOutWord(text)).toBe('start'),
  );

  test.each([
    '',
    '.',
    'stop by tomorrow?',
    'Please do not stop',
    'STOP STOP',
    'yes',
    'help',
    'info',
    'nonstop',
    'restart',
    'stop'.padEnd(41, '.'),
  ])('%p is neither', (text) => expect(optOutWord(text)).toBeUndefined());
});
