import { describeMishaps } from './mishaps.ts';

describeMishaps('v3');
