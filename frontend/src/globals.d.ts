/** Put in by build.mjs. */
declare const STYLES_VERSION: string;
