import { NO_USAGE, type UsageCost, type UsageFigures } from '../gateway/usage/usage-figures';

/** The sum of figures of groups that share no message. */
export function addFigures(list: readonly UsageFigures[]): UsageFigures {
  const sum: UsageFigures = { ...NO_USAGE, cost: [] };
  const amounts = new Map<string, string[]>();
  for (const { cost, ...counts } of list) {
    for (const [name, count] of Object.entries(counts) as Array<[Exclude<keyof UsageFigures, 'cost'>, number]>)
      sum[name] += count;
    for (const { currency, amount } of cost) amounts.set(currency, [...(amounts.get(currency) ?? []), amount]);
  }
  sum.cost = [...amounts]
    .map(([currency, parts]): UsageCost => ({ currency, amount: addDecimals(parts) }))
    .sort((one, other) => (one.currency < other.currency ? -1 : 1));
  return sum;
}

/** Adds decimals in text exactly; money is never a float. */
export function addDecimals(parts: readonly string[]): string {
  const places = Math.max(...parts.map((part) => part.split('.')[1]?.length ?? 0));
  const total = parts.reduce((sum, part) => {
    const [whole, fraction = ''] = part.replace('-', '').split('.');
    const value = BigInt(whole! + fraction.padEnd(places, '0'));
    return part.startsWith('-') ? sum - value : sum + value;
  }, 0n);
  const digits = (total < 0n ? -total : total).toString().padStart(places + 1, '0');
  const text = places === 0 ? digits : `${digits.slice(0, -places)}.${digits.slice(-places)}`;
  return total < 0n ? `-${text}` : text;
}
