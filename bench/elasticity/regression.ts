/** Least squares on small series, for scalers that forecast. */

/** @returns The polynomial's value at `at`, fitted to values at 0, 1, 2, … by least squares. */
export function polynomialAt(values: readonly number[], degree: number, at: number): number {
  const rows = values.map((value, x) => ({ terms: powers(x, degree), value }));
  const coefficients = leastSquares(rows, degree + 1);
  return powers(at, degree).reduce((sum, term, i) => sum + term * (coefficients[i] ?? 0), 0);
}

/** @returns The next value by an autoregression of an order, with a constant; the last one where it has no fit. */
export function autoregressionNext(values: readonly number[], order: number): number {
  const rows = values.slice(order).map((value, i) => ({
    terms: [1, ...values.slice(i, i + order)],
    value,
  }));
  const coefficients = leastSquares(rows, order + 1);
  const terms = [1, ...values.slice(-order)];
  const next = terms.reduce((sum, term, i) => sum + term * (coefficients[i] ?? 0), 0);
  return Number.isFinite(next) ? next : (values.at(-1) ?? 0);
}

interface Row {
  readonly terms: readonly number[];
  readonly value: number;
}

/** By the normal equations, with a trace of ridge so that equal rows have a solution. */
function leastSquares(rows: readonly Row[], size: number): readonly number[] {
  const matrix = Array.from({ length: size }, (_, i) =>
    Array.from({ length: size + 1 }, (__, j) => {
      const sum = rows.reduce(
        (total, { terms, value }) => total + (terms[i] ?? 0) * (j < size ? (terms[j] ?? 0) : value),
        0,
      );
      return i === j ? sum * (1 + 1e-9) + 1e-9 : sum;
    }),
  );
  for (let column = 0; column < size; column += 1) {
    eliminate(matrix, column);
  }
  return matrix.map((row, i) => (row[size] ?? 0) / (row[i] ?? 1));
}

/** Gauss and Jordan; the matrix is positive definite, so that no row needs to be exchanged. */
function eliminate(matrix: readonly number[][], column: number): void {
  const pivot = matrix[column] ?? [];
  for (const [i, row] of matrix.entries()) {
    if (i !== column) {
      const factor = (row[column] ?? 0) / (pivot[column] ?? 1);
      for (const [j, value] of pivot.entries()) {
        row[j] = (row[j] ?? 0) - factor * value;
      }
    }
  }
}

function powers(x: number, degree: number): readonly number[] {
  return Array.from({ length: degree + 1 }, (_, power) => x ** power);
}
