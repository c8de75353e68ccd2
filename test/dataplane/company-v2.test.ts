import { describeCompany } from './company.ts';

describeCompany('v2');
