#!/bin/sh
# Says whose AWS CLI serves: "system" if one is found that reads AWS_ENDPOINT_URL, which leads to the local environment,
# else "wheel". It does from 2.13.0 and 1.29.0 on (AWS SDKs and Tools Reference Guide, "Service-specific endpoints").
aws --version 2>&1 | sed -n 's|^aws-cli/\([0-9]*\)\.\([0-9]*\)\..*|\1 \2|p' | {
    read -r major minor || major=0 minor=0
    if [ "$major" -gt 2 ] || { [ "$major" -eq 2 ] && [ "$minor" -ge 13 ]; } || { [ "$major" -eq 1 ] && [ "$minor" -ge 29 ]; }; then
        echo system
    else
        echo wheel
    fi
}
