/** Put in by build.mjs. */
declare const STYLES_VERSION: string;

declare module "d3-contour" {
  interface Contours {
    size(extent: [number, number]): Contours;
    smooth(on: boolean): Contours;
    contour(values: number[], level: number): { coordinates: number[][][][] };
  }
  export function contours(): Contours;
}
