import { LightningElement, api } from 'lwc';
import CASE_ID from '@salesforce/schema/Opportunity.Aurevoir_Case_Id__c';
import STATUS from '@salesforce/schema/Opportunity.Aurevoir_Status__c';
import PLAYBOOK from '@salesforce/schema/Opportunity.Aurevoir_Playbook__c';
import STEPS_DONE from '@salesforce/schema/Opportunity.Aurevoir_Steps_Done__c';
import STEPS_ALL from '@salesforce/schema/Opportunity.Aurevoir_Steps_All__c';
import NEXT_STEP from '@salesforce/schema/Opportunity.Aurevoir_Next_Step__c';
import NEXT_DUE from '@salesforce/schema/Opportunity.Aurevoir_Next_Due__c';
import EXIT_REASON from '@salesforce/schema/Opportunity.Aurevoir_Exit_Reason__c';
import EXIT_SCORE from '@salesforce/schema/Opportunity.Aurevoir_Exit_Score__c';
import EXIT_FEEDBACK_AT from '@salesforce/schema/Opportunity.Aurevoir_Exit_Feedback_At__c';
import EXIT_FEEDBACK from '@salesforce/schema/Opportunity.Aurevoir_Exit_Feedback__c';

const FIELDS = [
    STATUS,
    PLAYBOOK,
    STEPS_DONE,
    STEPS_ALL,
    NEXT_STEP,
    NEXT_DUE,
    EXIT_REASON,
    EXIT_SCORE,
    EXIT_FEEDBACK_AT,
    CASE_ID,
    EXIT_FEEDBACK,
];

/** Where the goodbye of an opportunity stands, from our fields on it; its tasks are in the activity list. */
export default class AurevoirCase extends LightningElement {
    @api recordId;
    @api objectApiName;

    fields = FIELDS.map((field) => field.fieldApiName);

    get isOpportunity() {
        return this.objectApiName === 'Opportunity';
    }
}
