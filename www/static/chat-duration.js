// A length of time in words of the page's language: seconds, minutes, hours or days, rounded up.

const LANGUAGE = document.documentElement.lang;
const UNITS = [["day", 86_400], ["hour", 3_600], ["minute", 60], ["second", 1]]; // in seconds

export function duration(milliseconds) {
  const seconds = Math.max(1, Math.ceil(milliseconds / 1_000));
  // Under two of a unit, the next smaller one says it better: 90 minutes.
  const [unit, length] = UNITS.find(([, length]) => seconds >= 2 * length) ?? UNITS.at(-1);
  const format = new Intl.NumberFormat(LANGUAGE, { style: "unit", unit, unitDisplay: "long" });
  return format.format(Math.ceil(seconds / length));
}
