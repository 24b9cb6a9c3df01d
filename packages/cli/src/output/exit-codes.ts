/** Exit codes of the program beside 0: the work failed, the call was wrong, another process was lost (EX_TEMPFAIL). */
export const FAILED = 1;
export const MISUSED = 2;
export const LOST = 75;
