/**
 * What people write to hear no more from a sender, and to hear again, by language. The whole message must be one of these: "stop by tomorrow?" is no
 * wish to be left alone. English ones are those of the North American carriers' code of conduct and of the larger providers; of the other languages,
 * those that carriers and providers ask for or that say nothing else.
 */
const STOP_WORDS: Readonly<Record<string, readonly string[]>> = {
  en: [
    'stop',
    'stop all',
    'stopall',
    'unsubscribe',
    'cancel',
    'end',
    'quit',
    'opt out',
    'optout',
    'opt-out',
    'revoke',
    'remove me',
  ],
  ar: ['إيقاف', 'ايقاف', 'توقف', 'إلغاء', 'الغاء'],
  cs: ['odhlásit', 'zrušit', 'konec'],
  da: ['afmeld', 'frameld'],
  de: ['stopp', 'abmelden', 'abbestellen', 'austragen', 'ende'],
  el: ['στοπ', 'διακοπή', 'διαγραφή'],
  es: ['parar', 'alto', 'baja', 'cancelar', 'detener', 'darse de baja'],
  fi: ['seis', 'lopeta', 'peruuta'],
  fr: ['arrêt', 'arrêter', 'désabonner', 'désinscrire', 'désabonnement', 'désinscription'],
  he: ['הסר', 'הסרה', 'עצור'],
  hu: ['leiratkozás', 'leiratkozom', 'állj'],
  it: ['ferma', 'basta', 'cancella', 'cancellami', 'disiscrivi', 'disiscrivimi', 'annulla', 'disdici'],
  ja: ['停止', '配信停止', '解除', 'ストップ'],
  ko: ['중지', '수신거부', '정지'],
  nl: ['afmelden', 'uitschrijven', 'stoppen'],
  no: ['avslutt', 'meld av', 'avmeld'],
  pl: ['rezygnuję', 'rezygnacja', 'wypisz', 'koniec'],
  pt: ['pare', 'sair', 'descadastrar', 'remover', 'cancelar inscrição'],
  ro: ['dezabonare', 'oprire', 'renunț'],
  ru: ['стоп', 'отписаться', 'отписка', 'отмена'],
  sv: ['sluta', 'avsluta', 'avregistrera', 'avanmäl'],
  tr: ['dur', 'iptal', 'ret'],
  uk: ['відписатися', 'скасувати'],
  zh: ['退订', '停止', '取消订阅', '退訂', '取消訂閱', 'td'],
};

/** `yes` is left out, which some providers take: it also answers what a sender asked by another way. */
const START_WORDS: Readonly<Record<string, readonly string[]>> = {
  en: ['start', 'unstop', 'subscribe', 'resume', 'opt in', 'optin', 'opt-in'],
  ar: ['ابدأ', 'اشتراك'],
  cs: ['přihlásit'],
  da: ['tilmeld'],
  de: ['starten', 'anmelden', 'abonnieren'],
  el: ['εναρξη', 'εγγραφή'],
  es: ['alta', 'iniciar', 'comenzar', 'suscribir'],
  fi: ['aloita', 'tilaa'],
  fr: ['commencer', 'reprendre', 'démarrer', 'abonner'],
  he: ['התחל'],
  hu: ['feliratkozás', 'indít'],
  it: ['inizia', 'riprendi', 'iscrivi', 'iscrivimi', 'attiva'],
  ja: ['開始', '再開', 'スタート'],
  ko: ['시작', '수신동의'],
  nl: ['aanmelden', 'inschrijven'],
  no: ['meld på'],
  pl: ['zapisz', 'wznów'],
  pt: ['começar', 'voltar', 'inscrever'],
  ro: ['abonare', 'pornire'],
  ru: ['старт', 'подписаться'],
  sv: ['starta', 'börja', 'anmäl'],
  tr: ['başlat', 'başla'],
  uk: ['підписатися'],
  zh: ['订阅', '开始', '訂閱', '開始'],
};

/** Case, accents and what people put around a word do not count. */
function folded(text: string): string {
  return text
    .normalize('NFKD')
    .replaceAll(/\p{M}/gu, '')
    .toLowerCase()
    .replaceAll('ı', 'i')
    .replaceAll(/[^\p{L}\p{N}]+/gu, ' ')
    .trim()
    .normalize('NFC');
}

const fold = (lists: Readonly<Record<string, readonly string[]>>) => new Set(Object.values(lists).flat().map(folded));
const STOP = fold(STOP_WORDS);
const START = fold(START_WORDS);
/** No list has longer ones: a long message is not looked at. */
const LONGEST = 40;

/** What the writer of an inbound message wants, when it is nothing but one of the words. */
export function optOutWord(text: string): 'stop' | 'start' | undefined {
  if (text.length > LONGEST) return undefined;
  const word = folded(text);
  if (STOP.has(word)) return 'stop';
  return START.has(word) ? 'start' : undefined;
}
