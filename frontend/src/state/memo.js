/**
 * Keeps the last result of a pure function, so that what did not change keeps its identity and is
 * not drawn again.
 *
 * @template {any[]} Arguments
 * @template Result
 * @param {(...given: Arguments) => Result} compute
 * @returns {(...given: Arguments) => Result}
 */
export function memo(compute) {
  /** @type {Arguments | null} */
  let last = null;
  /** @type {Result} */
  let result;
  return (...given) => {
    if (!last || given.some((value, index) => !Object.is(value, last?.[index]))) {
      result = compute(...given);
      last = given;
    }
    return result;
  };
}
